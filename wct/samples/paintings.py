"""The style pictures, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from wct.errors import UsageError
from wct.images import Picture, read
from wct.samples.canvas import Plane
from wct.samples.linocut import linocut
from wct.samples.mosaic import mosaic
from wct.samples.strokes import strokes
from wct.samples.waves import waves

__all__ = ["PAINTINGS", "paint"]

PAINTINGS: dict[str, Callable[[Generator, int], Plane]] = {
    "waves": waves,
    "mosaic": mosaic,
    "strokes": strokes,
    "linocut": linocut,
}
"""Each gives (size, size, 3) in 0..1."""


def paint(name: str, size: int = 512) -> Picture:
    """The painting `name` of `PAINTINGS`, square, the same every time; UsageError for an unknown name."""
    if name not in PAINTINGS:
        raise UsageError(f"painting {name!r} is unknown; choose one of {', '.join(PAINTINGS)}")
    pixels = PAINTINGS[name](np.random.default_rng(7), size)
    return read(np.rint(pixels * 255).astype(np.uint8), name=name)
