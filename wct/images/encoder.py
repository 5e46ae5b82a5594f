"""Pixels to the bytes of a file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wct.images.metadata import restore_letters
from wct.images.profile import srgb_tag
from wct.images.tiff import settled

from . import png16

if TYPE_CHECKING:
    from wct.images.picture import Picture

__all__ = ["IMAGE_DESCRIPTION", "WHITE", "encode", "to_image"]

WHITE = (255, 255, 255)

IMAGE_DESCRIPTION = 270
"""The tag of TIFF and Exif that holds the comment."""

_WITHOUT_ALPHA = ("JPEG", "BMP")


def encode(
    picture: Picture,
    kind: str,
    *,
    quality: int,
    background: tuple[int, int, int],
    bits: int,
    comment: str | None,
    exif: bytes | None = None,
) -> bytes:
    """The file of `picture` in the format `kind`; see `wct.images.write` for the options.

    Raises ValueError where the pixels are not finite, and whatever Pillow raises where it cannot encode.
    """
    if not torch.isfinite(picture.rgb).all():
        raise ValueError("the picture holds values that are not finite")
    if kind == "PNG" and (bits == 16 or _needs_sixteen_bits(picture.alpha)):
        return png16.encode(_quantise(picture, np.uint16), srgb_tag(), comment, exif)
    flat = kind in _WITHOUT_ALPHA and picture.alpha is not None
    image = _composite(picture, background) if flat else to_image(picture)
    buffer = io.BytesIO()
    image.save(buffer, kind, **_options(kind, quality, comment, exif))
    return settled(buffer.getvalue()) if kind == "TIFF" and exif is None else buffer.getvalue()


def to_image(picture: Picture) -> Image.Image:
    """An 8-bit Pillow image, RGB or RGBA, rounded to the nearest value."""
    return Image.fromarray(_quantise(picture, np.uint8))


def _options(kind: str, quality: int, comment: str | None, exif: bytes | None) -> dict[str, Any]:
    options: dict[str, Any] = {"icc_profile": srgb_tag()}
    text = comment or ""
    match kind:
        case "JPEG":
            options |= {"quality": quality, "subsampling": "4:4:4", "comment": text.encode("utf-8", "backslashreplace")}
        case "PNG":
            options["pnginfo"] = PngInfo()
            if text:
                options["pnginfo"].add_text("Comment", text)
        case "TIFF":
            if exif is None:  # Pillow writes a block of EXIF into a TIFF only where it is not compressed
                options["compression"] = "tiff_adobe_deflate"
        case "WEBP":
            options |= {"quality": quality, "lossless": quality == 100, "alpha_quality": 100, "exact": True}
        case "AVIF":
            options |= {"quality": quality, "subsampling": "4:4:4"}
        case "BMP":
            options = {}
    if text and kind == "TIFF":
        options["description"] = text
    block = _block(exif, text if kind in ("WEBP", "AVIF") else "")
    return options | {"exif": block} if len(block) else options


def _block(exif: bytes | None, description: str) -> Image.Exif:
    block = Image.Exif()
    if exif is not None:
        block.load(exif)
        restore_letters(block)
    if description:
        block[IMAGE_DESCRIPTION] = description
    return block


def _quantise(picture: Picture, dtype: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
    """(H, W, 3), or (H, W, 4) where there is alpha, rounded half to even."""
    levels = (picture.rgb.detach().cpu().clamp(0, 1) * np.iinfo(dtype).max).round_().permute(1, 2, 0)
    colour = levels.numpy().astype(dtype)
    if picture.alpha is None:
        return np.ascontiguousarray(colour)
    return np.dstack((colour, _alpha(picture.alpha, dtype)))


def _alpha(alpha: NDArray[Any], dtype: type[np.uint8] | type[np.uint16]) -> NDArray[Any]:
    if alpha.dtype == dtype:
        return alpha
    if dtype is np.uint16:
        return alpha.astype(np.uint16) * 257
    return ((alpha.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _needs_sixteen_bits(alpha: NDArray[Any] | None) -> bool:
    return alpha is not None and alpha.dtype == np.uint16 and bool((alpha % 257).any())


def _composite(picture: Picture, background: tuple[int, int, int]) -> Image.Image:
    assert picture.alpha is not None
    cover = picture.alpha[..., None] / np.float64(np.iinfo(picture.alpha.dtype).max)
    colour = picture.rgb.detach().cpu().clamp(0, 1).permute(1, 2, 0).numpy() * 255.0
    mixed = colour * cover + np.asarray(background) * (1 - cover)
    return Image.fromarray(np.rint(mixed).astype(np.uint8))
