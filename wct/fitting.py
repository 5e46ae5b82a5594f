"""Fitting work into memory: in one piece, in windows, and in smaller windows where memory runs out after all."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

from wct.canvas import Canvas
from wct.errors import UsageError
from wct.images import PictureWarning
from wct.memory import GRID, SMALLEST, choose_side, out_of_memory
from wct.models import Model
from wct.windows import Size

__all__ = ["Tile", "fitting"]

Tile = int | str | None
"""Side of the windows in pixels; "auto" for what fits into memory; None for one piece."""

T = TypeVar("T")


def fitting(model: Model, size: Size, tile: Tile, work: Callable[[Canvas], T]) -> T:
    """What `work` gives on a canvas for pictures of `size` altogether.

    Where memory runs out it starts again with smaller windows, with a `PictureWarning`; not where `tile` is None.

    Raises:
        UsageError: `tile` is none of what it may be.
    """
    side = _side(model, size, tile)
    while True:
        try:
            return work(Canvas(model, side))
        except (MemoryError, RuntimeError) as error:
            smaller = _smaller(side or max(size))
            if not out_of_memory(error) or tile is None or smaller == side:
                raise
        side = smaller
        warnings.warn(f"memory ran out; again with windows of {side} pixels", PictureWarning, stacklevel=3)


def _side(model: Model, size: Size, tile: Tile) -> int | None:
    if tile is None:
        return None
    if tile == "auto":
        return choose_side(size, model.card.spec, model.device)
    if isinstance(tile, int) and tile >= 1:
        side = max(SMALLEST, -(-tile // GRID) * GRID)
        return side if side < max(size) else None
    raise UsageError(f"tile is {tile!r}; needs auto, or the side of the windows in pixels, 1 or more")


def _smaller(side: int) -> int:
    return max(SMALLEST, side // 2 // GRID * GRID)
