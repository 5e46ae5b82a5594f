"""From Pillow's modes to sRGB pixels and alpha.

Depth: PNG and TIFF of 16 bits per channel keep theirs, and so does grey of 16 bits, 32 bits or float. Cut to 8 bits:
16-bit TIFF of CMYK or with premultiplied alpha, and pixels of any depth under a colour profile other than sRGB.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from wct.images.profile import foreign_profile, lab_to_srgb, to_srgb

__all__ = ["colour_and_alpha"]

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO = 0
_UNSIGNED, _SIGNED = 1, 2
_FLOAT_HIGHLIGHTS = 8.0


def colour_and_alpha(
    image: Image.Image, deep: NDArray[Any] | None, name: str
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Colour (H, W, 1 or 3) in sRGB, as uint8 or as float32 in 0..1, and alpha (H, W) uint8, uint16 or None.

    image: loaded, in any mode. deep: its pixels as uint16 (H, W, 2..4) where Pillow has no mode for them.
    Raises ValueError where float pixels are not finite.
    """
    colour: NDArray[Any] | Image.Image
    if deep is not None:
        colour, alpha = _split_deep(deep, image.info.get("transparency"))
    elif image.mode[0] in "IF":
        colour, alpha = _grey(image), _keyed(np.asarray(image)[..., None], image.info.get("transparency"))
    else:
        colour, alpha = _split(image)
    profile = foreign_profile(image.info.get("icc_profile"), name)
    if profile is not None:
        flat = _to_eight_bits(colour) if isinstance(colour, np.ndarray) else colour
        converted = to_srgb(flat, profile, name)
        colour = colour if converted is None else converted
    if isinstance(colour, Image.Image):
        colour = _pixels(colour)
    return colour, alpha


def _split_deep(deep: NDArray[Any], key: object) -> tuple[NDArray[Any], NDArray[Any] | None]:
    channels = deep.shape[2]
    coloured = deep[..., : channels - 1] if channels in (2, 4) else deep
    alpha = deep[..., -1].copy() if channels in (2, 4) else _keyed(deep, key)
    return coloured.astype(np.float32) / np.float32(65535), alpha


def _keyed(pixels: NDArray[Any], key: object) -> NDArray[Any] | None:
    """Alpha of pixels (H, W, C) of which one colour, `key`, is declared transparent."""
    if not isinstance(key, (int, tuple)):
        return None
    return np.where((pixels == np.asarray(key)).all(axis=2), 0, 255).astype(np.uint8)


def _split(image: Image.Image) -> tuple[Image.Image, NDArray[Any] | None]:
    """An 8-bit image as L, RGB, CMYK or LAB and its alpha."""
    if image.has_transparency_data:
        if image.mode not in ("LA", "La"):
            image = image.convert("RGBA")
        elif image.mode == "La":
            image = image.convert("LA")
        *bands, alpha = image.split()
        return bands[0] if len(bands) == 1 else Image.merge("RGB", bands), np.array(alpha)
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _pixels(image: Image.Image) -> NDArray[Any]:
    """An sRGB image of mode L, RGB, CMYK or LAB as uint8 (H, W, 1 or 3)."""
    if image.mode == "LAB":
        image = lab_to_srgb(image)
    elif image.mode == "CMYK":
        image = image.convert("RGB")
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _to_eight_bits(pixels: NDArray[Any]) -> Image.Image:
    eight = np.rint(pixels * 255).astype(np.uint8)
    return Image.fromarray(eight[..., 0] if eight.shape[2] == 1 else eight)


def _grey(image: Image.Image) -> NDArray[Any]:
    """Grey of more than 8 bits (modes I;16, I and F) as float32 (H, W, 1) in 0..1."""
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {_SAMPLE_FORMAT: (_SIGNED,)}
    pixels = np.asarray(image)
    if image.mode == "I" and tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED:
        pixels = pixels.view(np.uint32)
    declared = image.mode.startswith("I;16")
    white = 2.0 ** tags.get(_BITS_PER_SAMPLE, (16,))[0] - 1 if declared else _white(pixels)
    grey: NDArray[Any] = np.clip(pixels / white, 0, 1)
    # Pillow inverts such files for 8 bits, but not above.
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and image.mode != "F":
        grey = 1 - grey
    return grey.astype(np.float32)[..., None]


def _white(pixels: NDArray[Any]) -> float:
    """The value of white in modes I and F, which declare none: the least usual one that holds the pixels.

    Float pictures are in 0..1, with room for highlights above (clipped), or else in units of 8 or 16 bits.
    """
    top = float(pixels.max())
    if not np.isfinite(pixels).all():
        raise ValueError("it holds values that are not finite")
    if np.issubdtype(pixels.dtype, np.floating) and top <= _FLOAT_HIGHLIGHTS:
        return 1.0
    return next((white for white in (255.0, 65535.0, 2.0**31 - 1) if top <= white), 2.0**32 - 1)
