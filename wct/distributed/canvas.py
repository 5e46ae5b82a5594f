"""RayCanvas: a canvas whose windows are worked through by the workers of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wct.canvas import CHEAP, Canvas, Measure
from wct.distributed.parcel import packed
from wct.distributed.shared import Shared
from wct.distributed.work import Block, Names
from wct.fields import Field, Held
from wct.gaussian import Gaussian, joined
from wct.linalg import finite
from wct.store import Filed, to_numbers
from wct.windows import Window, tiles

if TYPE_CHECKING:
    from wct.distributed.cluster import Cluster

__all__ = ["RayCanvas"]

SIDE = 1024
"""Pixels: of the blocks in which the driver's own pictures are put into the object store."""


@dataclass(frozen=True)
class RayCanvas(Canvas):
    """Windows are tasks; what must wait between two levels lies in the object store. In one piece as every canvas.

    Attributes:
        cluster: whose workers do it.
        spread: the driver's own fields, as far as workers have needed them.
    """

    cluster: Cluster = field(kw_only=True)
    spread: dict[Field, Shared] = field(default_factory=dict)

    def measured(self, field: Field, measure: Measure) -> tuple[Field, list[Gaussian | None]]:
        if self.side is None:
            return super().measured(field, measure)
        keeps = field.level != CHEAP and not isinstance(field, Shared)
        stored = Shared(field.level, field.size, self.windows(field)[0].size, {}, self.model.device)
        parts: list[Gaussian | None] = []
        for window, (block, told) in self._worked(field, _Measured(field, measure, keeps)):
            stored.blocks[window.top, window.left] = block
            parts = joined(parts, told)
        return stored if keeps else field, parts

    def read(self, field: Field) -> Iterator[tuple[Window, Tensor]]:
        if self.side is None:
            yield from super().read(field)
            return
        for window, (_, told) in self._worked(field, _Read(field)):
            yield window, told

    def _worked(self, field: Field, work: object) -> Iterator[tuple[Window, Any]]:
        """The windows of a field, each with what its task left and told."""
        names = Names(self.model, self._shared)
        parcel = packed(work, names)
        windows = self.windows(field)
        items = ((window, self._blocks(field, window, names)) for window in windows)
        results = self.cluster.run(names, parcel, items)
        for done, (window, result) in enumerate(zip(windows, results, strict=True), 1):
            yield window, result
            self.watch(done / len(windows))

    def _blocks(self, field: Field, window: Window, names: Names) -> dict[Block, Any]:
        """References to the blocks that a window is computed from."""
        if (shared := self._shared(field)) is None:
            return {
                block: reference
                for source, part in field.sources(window)
                for block, reference in self._blocks(source, part, names).items()
            }
        found = {}
        for block in shared.touched(window):
            corner = block.top, block.left
            if corner not in shared.blocks:  # of a field of the driver, until now
                shared.blocks[corner] = self.cluster.put(_array(field, block))
            found[names.number(shared), corner] = shared.blocks[corner]
        return found

    def _shared(self, one: object) -> Shared | None:
        """A field that lies ready, in blocks, or None for anything else."""
        if not isinstance(one, Held | Filed):
            return one if isinstance(one, Shared) else None
        if one not in self.spread:
            first = next(tiles(one.size, SIDE))
            self.spread[one] = Shared(one.level, one.size, first.size, {}, self.model.device)
        return self.spread[one]


def _array(field: Field, window: Window) -> NDArray[Any]:
    """A part of a field of the driver as numbers (height, width, C)."""
    return (
        field.numbers(window) if isinstance(field, Filed) else to_numbers(field.read(window)[0], np.dtype(np.float32))
    )


@dataclass(frozen=True)
class _Measured:
    """The task of a window that is measured: leaves it in the store, where it is kept, and tells what it says."""

    field: Field
    measure: Measure
    keeps: bool

    def __call__(self, window: Window) -> tuple[NDArray[Any] | None, Any]:
        x = finite(_computed(self.field, window), "features")
        return _array(Held(0, x), Window.whole(window.size)) if self.keeps else None, self.measure(x, window)


@dataclass(frozen=True)
class _Read:
    """The task of a window that the driver wants to have."""

    field: Field

    def __call__(self, window: Window) -> tuple[None, Tensor]:
        return None, _computed(self.field, window)


@torch.inference_mode()
def _computed(field: Field, window: Window) -> Tensor:
    return field.read(window)
