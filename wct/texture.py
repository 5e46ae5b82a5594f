"""Textures from noise: the style's statistics on a picture that shows nothing (Li et al. 2017, section 4.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from wct.errors import UsageError

__all__ = ["GRID", "noise"]

GRID = 16
"""Pixels to one feature of relu5_1: tiles are made of whole ones, so that pooling meets itself at their edges."""


def noise(size: tuple[int, int], seed: int, tileable: bool = False) -> Tensor:
    """Uniform noise (1, 3, H, W) in 0..1; the same for the same size and seed, on every device.

    Raises:
        UsageError: a side is below 1, the seed is negative, or a tile's side is no multiple of 16.
    """
    if min(size) < 1:
        raise UsageError(f"texture size is {size[0]}x{size[1]}; needs sides of 1 pixel or more")
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed is {seed}; needs a whole number from 0 to 2^63 - 1")
    if tileable and any(side % GRID for side in size):
        near = "x".join(str(max(GRID, round(side / GRID) * GRID)) for side in size)
        raise UsageError(f"texture size is {size[0]}x{size[1]}; a tile needs multiples of {GRID}, such as {near}")
    return torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(seed))
