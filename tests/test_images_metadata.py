"""What comes beside the pixels: orientation, colour profiles, further frames."""

from __future__ import annotations

import zlib

import hostile
import numpy as np
import pytest
from PIL import Image, ImageCms
from pixels import difference, levels, same

from wct.images import PictureWarning, read

LOSSLESS = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", [*LOSSLESS, "JPEG"])
def test_exif_orientation(kind: str, turn: int) -> None:
    stored = Image.fromarray(hostile.sideways(hostile.TILES, turn))
    options = LOSSLESS.get(kind, {"quality": 100, "subsampling": 0})
    found = read(hostile.file_of(stored, kind, exif=hostile.exif(turn, "<>"[turn % 2]), **options))
    assert difference(found, hostile.TILES) <= 4


@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_turns_alpha_and_deep_pixels_alike(turn: int) -> None:
    pixels = hostile.sixteen_bits(4)
    stored = hostile.sideways(pixels, turn)
    found = read(hostile.png(stored, hostile.chunk(b"eXIf", hostile.exif(turn)[6:])))
    assert same(found.alpha, pixels[..., 3])
    assert difference(found, pixels[..., :3] / 257.0) < 1e-3


@pytest.mark.parametrize(
    "block",
    [
        b"Exif\0\0",
        b"Exif\0\0nonsense",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        hostile.exif(0),
        hostile.exif(9),
        hostile.exif(6)[:20],
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.filterwarnings("ignore")  # Pillow's, about the block
def test_bogus_exif_is_ignored(kind: str, block: bytes) -> None:
    assert read(hostile.file_of(hostile.tiles(), kind, exif=block)).size == (16, 24)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P"])
def test_a_colour_profile_is_applied(mode: str) -> None:
    image = hostile.tiles(mode)
    found = read(hostile.file_of(image, "PNG", icc_profile=hostile.swapped_profile()))
    plain = levels(read(image))
    assert difference(found, plain[..., [1, 0, 2]] if mode[0] in "RP" else plain) <= 2


def test_a_colour_profile_applies_to_deep_pixels_and_leaves_alpha_alone() -> None:
    pixels = hostile.sixteen_bits(4)
    chunk = hostile.chunk(b"iCCP", b"swapped\0\0" + zlib.compress(hostile.swapped_profile()))
    found = read(hostile.png(pixels, chunk))
    assert same(found.alpha, pixels[..., 3])
    assert np.abs(levels(found) - pixels[..., [1, 0, 2]] / 257.0).max() <= 2


def test_an_srgb_profile_changes_nothing() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert difference(read(hostile.file_of(hostile.tiles(), "PNG", icc_profile=profile)), hostile.TILES) == 0


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_a_broken_profile_is_taken_as_srgb_with_a_warning(mode: str) -> None:
    image = hostile.tiles(mode)
    data = hostile.file_of(image, "TIFF", icc_profile=b"not a profile at all" * 20)
    with pytest.warns(PictureWarning, match="profile is broken"):
        assert difference(read(data), levels(read(image))) <= 1


def test_a_profile_of_another_colour_space_is_ignored_with_a_warning() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    with pytest.warns(PictureWarning, match="does not apply"):
        found = read(hostile.file_of(hostile.tiles(), "PNG", icc_profile=lab))
    assert difference(found, hostile.TILES) == 0


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_read_with_a_warning(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    others = [hostile.tiles().rotate(180)]
    data = hostile.file_of(hostile.tiles(), kind, save_all=True, append_images=others, **options)
    with pytest.warns(PictureWarning, match="only the first"):
        found = read(data)
    assert difference(found, hostile.TILES) <= 1
