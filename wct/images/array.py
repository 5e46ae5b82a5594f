"""Pictures that are arrays and tensors already."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wct.errors import InputError
from wct.images.picture import Picture

__all__ = ["check_size", "from_array", "from_tensor", "to_rgb"]

_ROUNDING = 1e-3


def check_size(height: int, width: int, name: str, max_pixels: int | None) -> None:
    """Raise InputError where a picture of this size has no pixels, or more than the budget."""
    if height < 1 or width < 1:
        raise InputError(f"{name}: is {width}x{height} pixels; a picture needs at least 1x1; export it again")
    if max_pixels is not None and height * width > max_pixels:
        found = f"is {width}x{height}, {height * width} pixels"
        raise InputError(f"{name}: {found}; the budget is {max_pixels}; shrink it or raise the limit (max_pixels)")


def to_rgb(colour: NDArray[Any]) -> torch.Tensor:
    """Colour (H, W, 1 or 3), uint8 or float32 in 0..1, as a new tensor (3, H, W) float32 in 0..1."""
    planes = torch.from_numpy(colour.transpose(2, 0, 1).copy())
    rgb = planes.float().div_(255) if planes.dtype == torch.uint8 else planes
    return rgb.expand(3, -1, -1).contiguous()


def from_array(pixels: NDArray[Any], name: str, max_pixels: int | None) -> Picture:
    """A Picture of (H, W), (H, W, 3) or (H, W, 4), uint8, uint16 or float in 0..1.

    A float alpha is rounded to 8 bits. Raises InputError where the array is of another kind.
    """
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise InputError(f"{name}: has the shape {pixels.shape}; needed (H, W), (H, W, 3) or (H, W, 4)")
    check_size(pixels.shape[0], pixels.shape[1], name, max_pixels)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False).reshape(*pixels.shape[:2], -1)
    if pixels.dtype == np.uint16:
        colour = pixels[..., :3].astype(np.float32) / np.float32(65535)
    elif pixels.dtype == np.uint8:
        colour = pixels[..., :3]
    elif np.issubdtype(pixels.dtype, np.floating):
        _check_range(float(pixels.min()), float(pixels.max()), name)
        pixels = pixels.clip(0, 1).astype(np.float32)
        colour = pixels[..., :3]
    else:
        raise InputError(f"{name}: holds {pixels.dtype}; needed uint8, uint16 or float in 0..1")
    alpha = pixels[..., 3].copy() if pixels.shape[2] == 4 else None
    if alpha is not None and alpha.dtype == np.float32:
        alpha = np.rint(alpha * 255).astype(np.uint8)
    return Picture(to_rgb(colour), alpha, name)


def from_tensor(pixels: torch.Tensor, name: str, max_pixels: int | None) -> Picture:
    """A Picture of (3, H, W) of any float type in 0..1; it stays on its device, and is copied.

    Raises InputError where the tensor is of another kind.
    """
    if pixels.ndim != 3 or pixels.shape[0] != 3 or not pixels.is_floating_point():
        raise InputError(f"{name}: is {tuple(pixels.shape)} of {pixels.dtype}; needed (3, H, W) of float in 0..1")
    check_size(pixels.shape[1], pixels.shape[2], name, max_pixels)
    low, high = torch.aminmax(pixels.detach())
    _check_range(float(low), float(high), name)
    return Picture(pixels.detach().float().clamp(0, 1), None, name)


def _check_range(low: float, high: float, name: str) -> None:
    # Rounding may leave 0..1 by a little; the comparison is false for NaN, which is refused with the rest.
    if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
        raise InputError(f"{name}: holds values from {low:g} to {high:g}; needed finite floats in 0..1; scale it first")
