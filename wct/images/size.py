"""Sizes and antialiased resizing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from wct.errors import UsageError

__all__ = ["fit", "resize", "resize_alpha"]


def fit(size: tuple[int, int], short_side: int) -> tuple[int, int]:
    """The (h, w) in pixels that gives a picture of `size` (H, W) the short side `short_side`, proportions kept.

    Raises UsageError where a side is below 1.
    """
    height, width = size
    if min(height, width, short_side) < 1:
        raise UsageError(f"size: found {height}x{width} and a short side of {short_side}; every side must be 1 or more")
    scale = short_side / min(height, width)
    if height <= width:
        return short_side, max(1, round(width * scale))
    return max(1, round(height * scale)), short_side


def resize(rgb: torch.Tensor, size: tuple[int, int] | int) -> torch.Tensor:
    """Resize `rgb` (C, H, W) in 0..1 to (C, h, w): bicubic, antialiased, clamped to 0..1.

    `size` is (h, w), or the length of the short side. A tensor that has the size already is returned as it is.
    Raises UsageError where a side is below 1.
    """
    height, width = _target((rgb.shape[-2], rgb.shape[-1]), size)
    if (height, width) == tuple(rgb.shape[-2:]):
        return rgb
    resized = interpolate(rgb[None], (height, width), mode="bicubic", antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)


def resize_alpha(alpha: NDArray[Any], size: tuple[int, int] | int) -> NDArray[Any]:
    """Resize `alpha` (H, W), uint8 or uint16, to (h, w) of the same type: bilinear, antialiased, without overshoot.

    `size` is as in `resize`. Raises UsageError where a side is below 1.
    """
    height, width = _target((alpha.shape[0], alpha.shape[1]), size)
    if (height, width) == alpha.shape:
        return alpha
    plane = torch.from_numpy(alpha.astype(np.float32))[None, None]
    resized = interpolate(plane, (height, width), mode="bilinear", antialias=True, align_corners=False)
    return resized[0, 0].round().clamp(0, np.iinfo(alpha.dtype).max).numpy().astype(alpha.dtype)


def _target(old: tuple[int, int], size: tuple[int, int] | int) -> tuple[int, int]:
    height, width = fit(old, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise UsageError(f"size: found {height}x{width}; every side must be 1 or more")
    return height, width
