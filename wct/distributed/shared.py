"""Fields in the object store of a cluster."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wct.fields import Field
from wct.store import from_numbers
from wct.windows import Size, Window

__all__ = ["Corner", "Shared"]

Corner = tuple[int, int]
"""(top, left)."""


@dataclass(frozen=True, eq=False)
class Shared:
    """A field in blocks, which lie in the object store or, on a worker, at hand.

    Attributes:
        level, size: as for every field.
        block: (height, width) of its blocks; the last ones can be smaller.
        blocks: each by its corner: an array (height, width, C), or a reference to one; whole numbers stand for 0..1.
        device: where parts of it are read to.
    """

    level: int
    size: Size
    block: Size
    blocks: MutableMapping[Corner, Any]
    device: torch.device

    @property
    def finest(self) -> int:
        return self.level

    def sources(self, _window: Window) -> Sequence[tuple[Field, Window]]:
        return ()

    def touched(self, window: Window) -> Iterator[Window]:
        """The blocks in which a window lies."""
        rows, columns = self.block
        for top in range(window.top // rows * rows, window.bottom, rows):
            for left in range(window.left // columns * columns, window.right, columns):
                yield Window(top, left, min(self.size[0], top + rows), min(self.size[1], left + columns))

    def read(self, window: Window) -> Tensor:
        """The window's part (1, C, height, width), float32, channels last, put together from the blocks it touches."""
        whole: NDArray[Any] | None = None
        for block in self.touched(window):
            array = _at_hand(self.blocks[block.top, block.left])
            if whole is None:
                whole = np.empty((*window.size, array.shape[2]), array.dtype)
            common = block.within(window)
            whole[common.inside(window)] = array[common.inside(block)]
        assert whole is not None
        return from_numbers(whole).to(self.device)[None]


def _at_hand(block: Any) -> NDArray[Any]:
    if isinstance(block, np.ndarray):
        return block
    import ray

    array: NDArray[Any] = ray.get(block)
    return array
