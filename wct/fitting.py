"""Fitting work into memory: in one piece, in windows, and in smaller windows where memory runs out after all."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TypeVar

from wct.canvas import Canvas
from wct.engine import Engine
from wct.errors import UsageError, out_of_memory
from wct.images import PictureWarning
from wct.memory import GRID, SMALLEST
from wct.models import Model
from wct.progress import Progress, Steps
from wct.windows import Size

__all__ = ["Tile", "fitting", "side_for"]

Tile = int | str | None
"""Side of the windows in pixels; "auto" for what fits into memory; None for one piece."""

T = TypeVar("T")


def fitting(
    engine: Engine,
    model: Model,
    size: Size,
    tile: Tile,
    work: Callable[[Canvas, Callable[[str], None]], T],
    *,
    steps: int = 0,
    progress: Callable[[Progress], None] = lambda _: None,
) -> T:
    """What `work` gives on a canvas for pictures of `size` altogether.

    Where memory runs out it starts again with smaller windows, with a `PictureWarning`; not where `tile` is None.

    Args:
        engine: makes the canvas.
        model: what the canvas works with.
        size: (H, W) in pixels.
        tile: how large the windows are.
        work: is given the canvas, and what to call with a word after each of its `steps` steps.
        progress: told about steps and windows.

    Raises:
        UsageError: `tile` is none of what it may be.
    """
    side = side_for(engine, model, size, tile)
    while True:
        canvas = engine.canvas(model, side)
        counter = Steps(progress, steps + canvas.extra_steps)
        try:
            return work(canvas.watched(counter.part), counter.step)
        except (MemoryError, RuntimeError) as error:
            smaller = _smaller(side or max(size))
            if not out_of_memory(error) or tile is None or smaller == side:
                raise
        side = smaller
        warnings.warn(f"memory ran out; again with windows of {side} pixels", PictureWarning, stacklevel=3)


def side_for(engine: Engine, model: Model, size: Size, tile: Tile) -> int | None:
    """The side of the windows for pictures of `size` altogether, None for one piece; UsageError as for `fitting`."""
    if tile is None:
        return None
    if tile == "auto":
        return engine.side(model, size)
    if isinstance(tile, int) and tile >= 1:
        side = max(SMALLEST, -(-tile // GRID) * GRID)
        return side if side < max(size) else None
    raise UsageError(f"tile is {tile!r}; needs auto, or the side of the windows in pixels, 1 or more")


def _smaller(side: int) -> int:
    return max(SMALLEST, side // 2 // GRID * GRID)
