"""Whole picture files of every kind: what the damage is done to, and some that are hostile as they are."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

import numpy as np
from hostile import ALPHA, TILES, bomb, chunk, exif, file_of, grey_ramp, png, sixteen_bits, swapped_profile, tiff, tiles
from PIL import Image, ImageCms, features

from wct.images.profile import srgb_tag

__all__ = ["files"]

MODES = {
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("1", "L", "P"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
}
COMPRESSIONS = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma")


@cache
def files() -> dict[str, bytes]:
    """{name: bytes}, always the same; the name ends with the extension."""
    return {**_modes(), **_deep(), **_told(), **_moving(), **_shapes(), **_strangers()}


def _noisy(mode: str) -> Image.Image:
    """The tiles with noise, lest their compressed pixels be a few bytes."""
    noise = np.random.default_rng(0).integers(-20, 21, TILES.shape)
    image = Image.fromarray((TILES.astype(int) + noise).clip(0, 255).astype(np.uint8))
    image.putalpha(Image.fromarray(ALPHA))
    return image.convert("RGB").convert(mode) if mode in ("1", "P", "CMYK", "YCbCr", "LAB") else image.convert(mode)


def _modes() -> dict[str, bytes]:
    made = {}
    for kind, modes in MODES.items():
        if kind in ("WEBP", "AVIF") and not features.check(kind.lower()):
            continue
        for mode in modes:
            made[f"{mode}.{kind.lower()}"] = file_of(tiles("LAB") if mode == "LAB" else _noisy(mode), kind)
    for way in COMPRESSIONS:
        try:
            made[f"{way}.tiff"] = file_of(_noisy("RGB"), "TIFF", compression=way)
        except Exception:  # this Pillow has not got it
            continue
    made["group4.tiff"] = file_of(_noisy("1"), "TIFF", compression="group4")
    made["progressive.jpeg"] = file_of(_noisy("RGB"), "JPEG", progressive=True, quality=60)
    made["lossless.webp"] = file_of(_noisy("RGBA"), "WEBP", lossless=True)
    made["keyed.png"] = file_of(tiles("P"), "PNG", transparency=bytes(range(6)))
    made["keyed.gif"] = file_of(tiles("P"), "GIF", transparency=2)
    return made


def _deep() -> dict[str, bytes]:
    made = {f"16x{n}.png": png(sixteen_bits(n)) for n in (1, 2, 3, 4)}
    made |= {f"16x{n}.tiff": tiff(sixteen_bits(n), deflate=n == 4) for n in (3, 4)}
    made["big endian.tiff"] = tiff(sixteen_bits(3), order=">")
    made["white is zero.tiff"] = tiff(grey_ramp(np.uint16, 65535), photometric=0)
    for name, pixels in (("I", grey_ramp(np.int32, 2e9)), ("F", grey_ramp(np.float32, 1)), ("I16", sixteen_bits(1))):
        made[f"{name}.tiff"] = file_of(Image.fromarray(pixels.squeeze()), "TIFF")
    made["infinite.tiff"] = file_of(Image.fromarray(np.full((4, 5), np.inf, np.float32)), "TIFF")
    made["I.png"] = file_of(Image.fromarray(grey_ramp(np.int32, 65535)), "PNG")
    return made


def _told() -> dict[str, bytes]:
    """With something to say about themselves, true or not."""
    image = _noisy("RGB")
    made = {f"turned{k}.jpeg": file_of(image, "JPEG", exif=exif(k)) for k in range(10)}
    made["turned.png"] = file_of(image, "PNG", exif=exif(6, ">"))
    made["turned.webp"] = file_of(image, "WEBP", exif=exif(8))
    made["bogus exif.jpeg"] = file_of(image, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    profiles = {"srgb": srgb_tag(), "swapped": swapped_profile(), "lab": lab, "broken": b"no profile", "empty": b""}
    profiles["cut"] = swapped_profile()[:200]
    for name, profile in profiles.items():
        for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
            made[f"{name} profile.{kind.lower()}"] = file_of(image, kind, icc_profile=profile)
    made["text.png"] = png(TILES, chunk(b"tEXt", b"Comment\0" + bytes(range(1, 256))), chunk(b"zTXt", b"a\0\0bad"))
    made["time bomb.png"] = png(TILES, *[chunk(b"tEXt", b"k%d\0" % i + b"v" * 5000) for i in range(50)])
    return made


def _moving() -> dict[str, bytes]:
    frames = [_noisy("RGB"), _noisy("RGB").transpose(Image.Transpose.ROTATE_180)]
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:]}
    kinds = [kind for kind in ("GIF", "PNG", "WEBP", "TIFF") if kind != "WEBP" or features.check("webp")]
    return {f"moving.{kind.lower()}": file_of(frames[0], kind, **options) for kind in kinds}


def _shapes() -> dict[str, bytes]:
    made = {f"bomb.{kind.lower()}": bomb(kind, 30000, 30000) for kind in ("PNG", "BMP", "GIF", "JPEG")}
    made |= {f"lie{i}.png": png(TILES, size=size) for i, size in enumerate([(0, 9), (9, 0), (0, 0), (900, 2), (1, 1)])}
    for size in ((1, 1), (1, 9), (9, 1), (4001, 3), (3, 4001), (13, 17)):
        noise = np.frombuffer(random.Random(0).randbytes(size[0] * size[1] * 3), np.uint8).reshape(*size, 3)
        made |= {f"{size}.{kind.lower()}": file_of(Image.fromarray(noise), kind) for kind in ("PNG", "JPEG")}
    return made


def _strangers() -> dict[str, bytes]:
    made = {
        "empty.png": b"",
        "letter.jpeg": b"a letter, not a picture\n" * 20,
        "drawing.svg": b'<?xml version="1.0"?><svg/>',
    }
    made |= {f"stranger.{kind.lower()}": file_of(tiles(), kind) for kind in ("PPM", "TGA", "ICO", "PDF", "EPS", "PCX")}
    return made
