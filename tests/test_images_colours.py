"""Every mode comes in with the right colours, all its depth, and its alpha."""

from __future__ import annotations

import struct

import hostile
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from pixels import difference, levels, same

from wct.errors import InputError
from wct.images import Picture, read

GREY = np.asarray(Image.fromarray(hostile.TILES).convert("L"))


COLOUR_MODES = ["RGB", "RGBA", "RGBa", "P", "PA", "CMYK", "YCbCr", "HSV"]
GREY_MODES = ["L", "LA", "La", "I", "F"]


@pytest.mark.parametrize("mode", COLOUR_MODES)
def test_colour_modes_have_the_right_colours(mode: str) -> None:
    assert difference(read(hostile.tiles(mode)), hostile.TILES) <= 2


@pytest.mark.parametrize("mode", GREY_MODES)
def test_grey_modes_have_the_right_grey(mode: str) -> None:
    assert difference(read(hostile.tiles(mode)), GREY) <= 1


def test_bilevel_is_black_and_white() -> None:
    stripes = np.tile([[True, False]], (4, 3))
    assert difference(read(hostile.file_of(Image.fromarray(stripes))), stripes * 255) == 0


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "CMYK", "YCbCr", "PA", "I", "F"])
def test_tiff_files_of_every_mode_read_like_the_image_itself(mode: str) -> None:
    image = hostile.tiles(mode)
    assert difference(read(hostile.file_of(image, "TIFF")), levels(read(image))) <= 1


@pytest.mark.parametrize("tagged", [False, True])
def test_lab_has_the_right_colours(tagged: bool) -> None:
    srgb, lab_profile = (ImageCms.ImageCmsProfile(ImageCms.createProfile(name)) for name in ("sRGB", "LAB"))
    lab = ImageCms.profileToProfile(hostile.tiles(), srgb, lab_profile, outputMode="LAB")
    assert lab is not None
    lab.info["icc_profile"] = lab_profile.tobytes() if tagged else None
    # Half a step of 8-bit a* or b* is many levels in the dark channels of a saturated colour.
    found = read(hostile.file_of(lab, "TIFF"))
    assert difference(found, hostile.TILES) <= 24
    assert np.abs(levels(found) - hostile.TILES)[8:].max() <= 1  # white, black and grey


def test_cmyk_jpeg_has_the_right_colours() -> None:
    data = hostile.file_of(hostile.tiles("CMYK"), "JPEG", quality=100, subsampling=0)
    assert difference(read(data), hostile.TILES) <= 6


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L"])
def test_sixteen_bit_grey_keeps_its_depth(mode: str) -> None:
    ramp = hostile.grey_ramp(np.uint16, 65535)
    order = ">u2" if mode == "I;16B" else "<u2"
    image = Image.frombytes(mode, (24, 16), ramp.astype(order).tobytes())
    assert difference(read(image), ramp / 257.0) < 1e-3


@pytest.mark.parametrize(
    ("pixels", "white"),
    [
        (hostile.grey_ramp(np.int32, 255), 255),
        (hostile.grey_ramp(np.int32, 65535), 65535),
        (hostile.grey_ramp(np.int32, 2**31 - 1), 2**31 - 1),
        (hostile.grey_ramp(np.float32, 1), 1),
        (hostile.grey_ramp(np.float32, 255), 255),
        (hostile.grey_ramp(np.float32, 65535), 65535),
    ],
)
def test_grey_without_a_declared_white_is_scaled_to_hold_its_pixels(pixels: np.ndarray, white: float) -> None:
    image = Image.fromarray(pixels)
    assert difference(read(image), pixels * (255 / white)) < 1e-3
    assert difference(read(hostile.file_of(image, "TIFF")), pixels * (255 / white)) < 1e-3


def test_float_highlights_are_clipped_and_negative_values_are_black() -> None:
    pixels = np.array([[-1.0, 0.5, 1.5]], np.float32)
    assert difference(read(Image.fromarray(pixels)), np.array([[0, 127.5, 255]])) < 1e-3


def test_float_pixels_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="not finite"):
        read(Image.fromarray(np.array([[0.0, np.nan]], np.float32)))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bit_tiff_keeps_its_depth(order: hostile.Order, deflate: bool, channels: int) -> None:
    pixels = hostile.sixteen_bits(channels)
    found = read(hostile.tiff(pixels.squeeze(), order=order, deflate=deflate))
    assert difference(found, pixels[..., :3] / 257.0) < 1e-3
    assert channels < 4 or same(found.alpha, pixels[..., 3])


def test_white_is_zero_in_grey_tiff() -> None:
    ramp = hostile.grey_ramp(np.uint16, 65535)
    assert difference(read(hostile.tiff(ramp, photometric=0)), 255 - ramp / 257.0) < 1e-3
    eight = ramp.astype(np.uint8)
    assert difference(read(hostile.tiff(eight, photometric=0)), 255.0 - eight) == 0


def test_unsigned_thirty_two_bit_tiff() -> None:
    ramp = hostile.grey_ramp(np.uint32, 2**32 - 1)
    assert difference(read(hostile.tiff(ramp)), ramp / (2**32 - 1) * 255) < 1e-3


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png_keeps_its_depth(channels: int) -> None:
    pixels = hostile.sixteen_bits(channels)
    found = read(hostile.png(pixels))
    assert difference(found, pixels[..., : 3 if channels > 2 else 1] / 257.0) < 1e-3
    if channels in (2, 4):
        assert found.alpha is not None and found.alpha.dtype == np.uint16
        assert same(found.alpha, pixels[..., -1])
    else:
        assert found.alpha is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_key_colour_becomes_alpha(dtype: type, channels: int) -> None:
    pixels: np.ndarray = np.arange(12 * channels, dtype=dtype).reshape(3, 4, channels)
    key = struct.pack(f">{channels}H", *pixels[1, 2])
    found = read(hostile.png(pixels, hostile.chunk(b"tRNS", key)))
    assert found.alpha is not None
    assert np.argwhere(found.alpha == 0).tolist() == [[1, 2]]


def test_a_transparent_palette_entry_becomes_alpha() -> None:
    image = hostile.tiles("P")
    corner = image.getpixel((0, 0))
    for transparency in (corner, bytes(0 if index == corner else 200 for index in range(256))):
        found = read(hostile.file_of(image, "PNG", transparency=transparency))
        assert found.alpha is not None
        assert (found.alpha[:8, :8] == 0).all() and (found.alpha[8:] > 0).all()
        assert difference(found, hostile.TILES) == 0


def test_alpha_is_exact_and_hidden_colours_stay_out_of_statistics() -> None:
    rgba = np.dstack((hostile.TILES, hostile.ALPHA))
    found = read(hostile.file_of(Image.fromarray(rgba)))
    assert same(found.alpha, hostile.ALPHA)
    assert found.opaque is not None and found.opaque.shape == (1, 16, 24) and found.opaque.dtype == torch.float32
    assert np.array_equal(found.opaque[0].numpy() == 1, hostile.ALPHA > 0)


def test_every_pixel_counts_where_none_or_all_are_transparent() -> None:
    rgb = torch.rand(3, 2, 2)
    assert Picture(rgb).opaque is None
    assert Picture(rgb, np.full((2, 2), 9, np.uint8)).opaque is None
    assert Picture(rgb, np.zeros((2, 2), np.uint8)).opaque is None
