"""Pictures go out exactly, with their alpha, tagged, and the same every time."""

from __future__ import annotations

import io
import os
import sys
import types
from pathlib import Path
from typing import Any

import hostile
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from pixels import same

from wct.errors import OutputError, UsageError
from wct.images import Picture, check_output, read, write
from wct.images.encoder import IMAGE_DESCRIPTION, encode

OPAQUE = read(hostile.TILES)
CLEAR = read(np.dstack((hostile.TILES, hostile.ALPHA)))
DEEP = read(np.random.default_rng(0).integers(0, 65536, (5, 7, 4)).astype(np.uint16))
EXTENSIONS = [".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".PNG"]


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("picture", [OPAQUE, CLEAR, DEEP], ids=["opaque", "clear", "deep"])
def test_every_picture_goes_into_every_format(extension: str, picture: Picture, tmp_path: Path) -> None:
    path = tmp_path / f"out{extension}"
    write(picture, path, comment="a comment, ünïcödé too")
    assert read(path).size == picture.size
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("extension", [".png", ".tif", ".webp", ".bmp"])
def test_lossless_formats_are_exact(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{extension}"
    write(OPAQUE, path, quality=100)
    assert np.array_equal(np.asarray(read(path).to_pil()), hostile.TILES)


@pytest.mark.parametrize(("extension", "quality"), [(".png", 95), (".tif", 95), (".webp", 100), (".webp", 60)])
def test_alpha_is_exact(extension: str, quality: int, tmp_path: Path) -> None:
    path = tmp_path / f"out{extension}"
    write(CLEAR, path, quality=quality)
    assert same(read(path).alpha, hostile.ALPHA)


@pytest.mark.parametrize("extension", [".png", ".tif", ".webp"])
def test_hidden_colours_survive_lossless_formats(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{extension}"
    write(CLEAR, path, quality=100)
    assert torch.equal(read(path).rgb, CLEAR.rgb)


@pytest.mark.parametrize("bits", [8, 16])
def test_sixteen_bit_alpha_makes_a_sixteen_bit_png(bits: int, tmp_path: Path) -> None:
    write(DEEP, tmp_path / "out.png", bits=bits)
    found = read(tmp_path / "out.png")
    assert same(found.alpha, DEEP.alpha)
    assert torch.equal(found.rgb, DEEP.rgb)


def test_sixteen_bits_on_request(tmp_path: Path) -> None:
    ramp = read(np.repeat(hostile.grey_ramp(np.uint16, 65535)[..., None], 3, axis=2))
    write(ramp, tmp_path / "out.png", bits=16, comment="depth")
    assert torch.equal(read(tmp_path / "out.png").rgb, ramp.rgb)
    with Image.open(tmp_path / "out.png") as image:
        image.load()
        assert image.info["Comment"] == "depth" and "icc_profile" in image.info
    eight = Picture(CLEAR.rgb, CLEAR.alpha)
    write(eight, tmp_path / "clear.png", bits=16)
    assert same(read(tmp_path / "clear.png").alpha, hostile.ALPHA.astype(np.uint16) * 257)


def test_sixteen_bit_alpha_that_eight_can_hold_stays_at_eight(tmp_path: Path) -> None:
    write(Picture(CLEAR.rgb, hostile.ALPHA.astype(np.uint16) * 257), tmp_path / "out.png")
    assert same(read(tmp_path / "out.png").alpha, hostile.ALPHA)


@pytest.mark.parametrize("extension", [".jpg", ".bmp"])
def test_transparency_is_laid_on_the_background(extension: str, tmp_path: Path) -> None:
    alpha = np.zeros((16, 24), np.uint8)
    alpha[:, 12:] = 255
    picture = Picture(torch.zeros(3, 16, 24), alpha)
    write(picture, tmp_path / f"a{extension}")
    write(picture, tmp_path / f"b{extension}", background=(200, 0, 0))
    white, red = (np.asarray(read(tmp_path / f"{name}{extension}").to_pil()).astype(int) for name in "ab")
    assert np.abs(white[4, 2] - 255).max() <= 3 and np.abs(white[4, 20]).max() <= 3
    assert np.abs(red[4, 2] - [200, 0, 0]).max() <= 3 and np.abs(red[4, 20]).max() <= 3


def test_half_transparency_mixes_half() -> None:
    half = Picture(torch.ones(3, 4, 4), np.full((4, 4), 0x8000, np.uint16))
    data = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", types.SimpleNamespace(buffer=data, isatty=lambda: False))
        half.save("-")
    assert read(data.getvalue()).alpha is not None
    assert half.to_pil().getpixel((0, 0)) == (255, 255, 255, 128)


def test_values_are_rounded_to_the_nearest_and_clamped(tmp_path: Path) -> None:
    values = torch.tensor([-1.0, 0.49 / 255, 0.51 / 255, 127.4 / 255, 127.6 / 255, 254.6 / 255, 7.0])
    Picture(values.expand(3, 1, 7).contiguous()).save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 127, 128, 255, 255]


def test_pixels_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="not finite"):
        write(Picture(torch.full((3, 2, 2), float("nan"))), tmp_path / "out.png")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_output_is_tagged_srgb_and_carries_nothing_of_the_input(extension: str, tmp_path: Path) -> None:
    source = hostile.file_of(hostile.tiles(), "JPEG", exif=hostile.exif(6))
    read(source).save(tmp_path / f"out{extension}", comment="made by a test")
    with Image.open(tmp_path / f"out{extension}") as image:
        image.load()
        profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        assert ImageCms.getProfileDescription(profile).startswith("sRGB")
        assert image.getexif().get(0x0112, 1) == 1
        assert 0x8825 not in image.getexif()
        assert image.size == (16, 24)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_the_same_picture_gives_the_same_bytes(extension: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(CLEAR, tmp_path / (name + extension), comment="once")
    assert (tmp_path / f"a{extension}").read_bytes() == (tmp_path / f"b{extension}").read_bytes()


def test_no_byte_of_a_tiff_is_left_to_chance() -> None:
    """Chance is what memory holds, so there is much of it; every gap between parts is seen."""
    generator = torch.Generator().manual_seed(0)
    for side in range(1, 60):
        noise = Picture(torch.rand(3, side, 30, generator=generator))
        alpha = np.arange(side * 30, dtype=np.uint8).reshape(side, 30) if side % 2 else None
        twins = [Picture(noise.rgb, alpha) for _ in range(3)]
        words = "x" * side
        files = [encode(one, "TIFF", quality=90, background=(0, 0, 0), bits=8, comment=words) for one in twins]
        assert len(set(files)) == 1
        assert np.array_equal(read(files[0]).to_pil(), twins[0].to_pil())
        with Image.open(io.BytesIO(files[0])) as image:
            assert image.tag_v2[IMAGE_DESCRIPTION] == words


def test_quality_is_used(tmp_path: Path) -> None:
    noise = Picture(torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)))
    for extension in (".jpg", ".webp", ".avif"):
        write(noise, tmp_path / f"low{extension}", quality=10)
        write(noise, tmp_path / f"high{extension}", quality=95)
        low, high = (tmp_path / f"{name}{extension}" for name in ("low", "high"))
        assert low.stat().st_size < high.stat().st_size


OPTIONS = [
    {"quality": 0},
    {"quality": 101},
    {"bits": 12},
    {"bits": 16, "path": "out.jpg"},
    {"background": (0, 0, 256)},
    {"background": (0, 0)},
    {"path": "out.pgn"},
    {"path": "out"},
    {"path": "out.gif"},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_options_out_of_range_are_refused(options: dict[str, Any], tmp_path: Path) -> None:
    options = {"path": "out.png"} | options
    with pytest.raises(UsageError, match="found"):
        write(OPAQUE, tmp_path / options.pop("path"), **options)
    assert os.listdir(tmp_path) == []


def test_a_near_extension_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"did you mean \.png\?"):
        check_output(tmp_path / "out.pgn")


def test_a_picture_too_large_for_its_format_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="try another format") as caught:
        write(Picture(torch.zeros(3, 1, 16400)), tmp_path / "out.webp")
    assert "\n" not in str(caught.value) and os.listdir(tmp_path) == []


def test_standard_output_carries_a_png_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(buffer=data, isatty=lambda: False))
    write(CLEAR, "-", inputs=["-"])
    assert data.getvalue().startswith(b"\x89PNG") and data.getvalue().endswith(b"IEND\xaeB`\x82")
    assert same(read(data.getvalue()).alpha, hostile.ALPHA)
