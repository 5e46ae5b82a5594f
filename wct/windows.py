"""Windows: rectangles of a picture, or of its features at one level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

__all__ = ["Size", "Window", "tiles"]

Size = tuple[int, int]
"""(H, W)."""


@dataclass(frozen=True)
class Window:
    """Rows top … bottom - 1 and columns left … right - 1."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def whole(cls, size: Size) -> Window:
        """All of something of `size`."""
        return cls(0, 0, *size)

    @property
    def size(self) -> Size:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left

    def grown(self, margin: int, size: Size) -> Window:
        """`margin` more on each side, as far as something of `size` goes."""
        return Window(
            max(0, self.top - margin),
            max(0, self.left - margin),
            min(size[0], self.bottom + margin),
            min(size[1], self.right + margin),
        )

    def scaled(self, factor: int, size: Size) -> Window:
        """The same place where everything is `factor` times as large, as far as something of `size` goes."""
        bottom, right = min(size[0], self.bottom * factor), min(size[1], self.right * factor)
        return Window(self.top * factor, self.left * factor, bottom, right)

    def shrunk(self, factor: int) -> Window:
        """The least window that covers the same place where everything is `factor` times smaller."""
        return Window(self.top // factor, self.left // factor, -(-self.bottom // factor), -(-self.right // factor))

    def within(self, other: Window) -> Window:
        """What it has in common with another."""
        return Window(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )

    def inside(self, around: Window) -> tuple[slice, slice]:
        """Its rows and columns in what covers the window `around`."""
        rows = slice(self.top - around.top, self.bottom - around.top)
        return rows, slice(self.left - around.left, self.right - around.left)

    def of(self, x: Tensor, around: Window | None = None) -> Tensor:
        """This window of a tensor (..., h, w) that covers the window `around`, by default from row and column 0."""
        if x.shape[-2:] == self.size:
            return x
        return x[(..., *self.inside(around or Window(0, 0, 0, 0)))]


def tiles(size: Size, side: int, grid: int = 1) -> Iterator[Window]:
    """Windows of at most `side` by `side` that cover something of `size`, row by row, as alike as they can be.

    They begin at multiples of `grid`, of which `side` is one.
    """
    (height, rows), (width, columns) = ((length, _even(length, side, grid)) for length in size)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            yield Window(top, left, min(height, top + rows), min(width, left + columns))


def _even(length: int, side: int, grid: int) -> int:
    """The least side that needs no more windows."""
    count = -(-length // side)
    return -(-length // (count * grid)) * grid
