"""What a stylisation is made from: pictures, style files and masks, at the size at which they count."""

from __future__ import annotations

import os

import numpy as np
from torch import Tensor

from wct.errors import UsageError
from wct.images import DEFAULT_MAX_PIXELS, Picture, Source, read
from wct.look import LARGEST_SCALE
from wct.masks import read_mask, resize_mask
from wct.style import Style
from wct.style_file import is_style, load_style

__all__ = ["STYLE_SIZE", "mask_of", "opened", "preview_factor", "scaled"]

STYLE_SIZE = 512
"""Short side to which larger style pictures are reduced: the size of the strokes should not depend on the scan."""


def preview_factor(full: tuple[int, int], size: int | None, preview: int | None) -> float:
    """How many times smaller than the result, of short side `size` or that of `full`, its preview is; at least 1.

    Raises UsageError where the preview has no pixel.
    """
    if preview is not None and preview < 1:
        raise UsageError(f"preview is {preview}; needs a short side of 1 pixel or more")
    return 1.0 if preview is None else max(1.0, (size or min(full)) / preview)


def opened(source: Source, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Style | Picture:
    """What a source holds, which may be a style file; raises as `wct.images.read` and `load_style` do."""
    if isinstance(source, str | os.PathLike) and is_style(source):
        return load_style(source)
    return read(source, max_pixels=max_pixels)


def scaled(picture: Picture, scale: float | None, mask: Source | Tensor | None) -> tuple[Picture, Tensor | None]:
    """The picture at the size at which it is measured, and its mask (H, W) likewise."""
    weights = None if mask is None else mask_of(mask, picture.size)
    if scale is None:
        return picture, weights
    if not 0 < scale <= LARGEST_SCALE:
        raise UsageError(f"scale of the style is {scale}; needs a number above 0, up to {LARGEST_SCALE:g}")
    size = max(1, round(scale * min(*picture.size, STYLE_SIZE)))
    if size != min(picture.size):
        picture = picture.resized(size)
        weights = None if weights is None else resize_mask(weights, picture.size)
    return picture, weights


def mask_of(mask: Source | Tensor, size: tuple[int, int]) -> Tensor:
    """The mask of a picture of `size` (H, W), in 0..1; raises as `wct.masks.read_mask` does."""
    if isinstance(mask, Tensor) and mask.ndim == 2:
        mask = mask.cpu().numpy()
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_:
        mask = mask.astype(np.float32)
    return read_mask(mask, size)
