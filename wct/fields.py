"""Fields: what a picture is at one level, its pixels or its features, read by windows.

A field that is computed reads what it is made of on a wider window: as much wider as its result depends on. Beyond the
picture's own borders everything is padded as in one piece, so that windows show exactly what the whole would.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from wct.models.decoder import Affine, Stage
from wct.models.encoder import Encoder, halved
from wct.windows import Size, Window

__all__ = ["Combined", "Encoded", "Field", "Held", "Stepped", "placed_on"]


class Field(Protocol):
    """What is read by windows.

    Attributes:
        level: 1 to 5 for features of relu{level}_1, 0 for pixels.
        size: (h, w) at that level.
        finest: the finest level at which reading computes, which decides how large windows can be.
    """

    @property
    def level(self) -> int: ...
    @property
    def size(self) -> Size: ...
    @property
    def finest(self) -> int: ...

    def sources(self, window: Window) -> Sequence[tuple[Field, Window]]:
        """What is read to compute a window: other fields, and where. Nothing, where it lies ready."""

    def read(self, window: Window) -> Tensor:
        """The window's part, (1, C, height, width)."""


@dataclass(frozen=True, eq=False)
class Held:
    """A field in memory: `x` is (1, C, h, w)."""

    level: int
    x: Tensor

    @property
    def size(self) -> Size:
        return self.x.shape[-2], self.x.shape[-1]

    @property
    def finest(self) -> int:
        return self.level

    def sources(self, _window: Window) -> Sequence[tuple[Field, Window]]:
        return ()

    def read(self, window: Window) -> Tensor:
        return window.of(self.x)


@dataclass(frozen=True, eq=False)
class Combined:
    """A field made of others of its level: `change` takes the window and their parts of it.

    What it gives for a pixel depends on no others than those within `halo` of it.
    """

    parts: tuple[Field, ...]
    change: Callable[..., Tensor]
    halo: int = 0

    @property
    def level(self) -> int:
        return self.parts[0].level

    @property
    def size(self) -> Size:
        return self.parts[0].size

    @property
    def finest(self) -> int:
        return min(part.finest for part in self.parts)

    def sources(self, window: Window) -> Sequence[tuple[Field, Window]]:
        around = window.grown(self.halo, self.size)
        return [(part, around) for part in self.parts]

    def read(self, window: Window) -> Tensor:
        around = window.grown(self.halo, self.size)
        return window.of(self.change(around, *(part.read(around) for part in self.parts)), around)


@dataclass(frozen=True, eq=False)
class Encoded:
    """The features of a level of a picture's pixels."""

    pixels: Field
    encoder: Encoder
    level: int
    wrap: bool = False

    @property
    def size(self) -> Size:
        return halved(self.pixels.size, self.level)

    @property
    def finest(self) -> int:
        return 2  # and 1 in truth, but margins are wide, and windows as large as for relu2_1 spare time

    def sources(self, window: Window) -> Sequence[tuple[Field, Window]]:
        # Pooling starts at multiples of the step, in the picture and therefore in every part of it.
        return [(self.pixels, self._around(window).scaled(2 ** (self.level - 1), self.pixels.size))]

    def read(self, window: Window) -> Tensor:
        ((pixels, below),) = self.sources(window)
        features = self.encoder(pixels.read(below), (self.level,), self.wrap)
        return _cut(features[self.level], window, self._around(window))

    def _around(self, window: Window) -> Window:
        return window.grown(-(-self.encoder.reach(self.level) // 2 ** (self.level - 1)), self.size)


@dataclass(frozen=True, eq=False)
class Stepped:
    """What a stage of the decoder chain makes of a field: features of the level below, or pixels.

    With `affine` it makes it of the field as this map changes it.
    """

    source: Field
    stage: Stage
    size: Size
    wrap: bool = False
    affine: Affine | None = None

    @property
    def level(self) -> int:
        return self.source.level - 1

    @property
    def finest(self) -> int:
        return max(1, min(self.level, self.source.finest))

    def sources(self, window: Window) -> Sequence[tuple[Field, Window]]:
        low, high, factor = self.stage.reach
        return [(self.source, window.grown(high, self.size).shrunk(factor).grown(low, self.source.size))]

    def read(self, window: Window) -> Tensor:
        ((source, above),) = self.sources(window)
        around = above.scaled(self.stage.reach[2], self.size)
        return _cut(self.stage(source.read(above), around.size, self.wrap, self.affine), window, around)


def _cut(x: Tensor, window: Window, around: Window) -> Tensor:
    """A window of what was computed on a wider one: a copy, so that the margin's memory is free again."""
    return window.of(x, around).contiguous(memory_format=torch.channels_last)


def placed_on(device: torch.device, field: Field) -> Field:
    """The field on a device, channels last: the order in which convolutions are fastest."""
    return Combined((field,), lambda _, x: x.to(device, memory_format=torch.channels_last))
