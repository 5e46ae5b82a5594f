"""Canvas: how fields are worked through, whole in memory or window by window with what must wait in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from wct.fields import Encoded, Field, Held, Stepped
from wct.gaussian import Gaussian, joined
from wct.heap import make_room
from wct.linalg import finite
from wct.models import Model
from wct.models.decoder import Affine
from wct.store import Filed, scratch
from wct.windows import Window, tiles

__all__ = ["Canvas"]

Measure = Callable[[Tensor, Window], Sequence[Gaussian | None]]
"""What a window of a field says about each region."""

CHEAP = 1
"""Features of relu1_1 are computed again when they are needed: kept, they would take 128 bytes per pixel or more."""


@dataclass(frozen=True)
class Canvas:
    """Works with one model on fields of any size.

    Attributes:
        model: encoder and decoders.
        side: side of the windows in pixels of the picture, a multiple of 32; None works in memory, in one piece.
        wrap: the picture is a tile: its left edge continues at its right, its top at its bottom. In one piece only.
        watch: called with the share of a pass over windows that is done, after every one.
    """

    model: Model
    side: int | None = None
    wrap: bool = False
    watch: Callable[[float], None] = lambda _: None

    def watched(self, watch: Callable[[float], None]) -> Canvas:
        """The same, telling `watch`."""
        return replace(self, watch=watch)

    @property
    def extra_steps(self) -> int:
        """Passes beside the steps of a stylisation: in windows the pixels come last, by one of their own."""
        return 0 if self.side is None else 1

    def encoded(self, pixels: Field, levels: Sequence[int]) -> Mapping[int, Field]:
        """The features of some levels of a picture."""
        if self.side is None:  # one pass for all levels
            found = self.model.encoder(pixels.read(Window.whole(pixels.size)), levels, self.wrap)
            return {level: Held(level, finite(x, "features")) for level, x in found.items()}
        return {level: Encoded(pixels, self.model.encoder, level, self.wrap) for level in levels}

    def stepped(self, x: Field, below: Sequence[int], affine: Affine | None = None) -> Field:
        """Features, as a map changes them, one level down the decoders, where they have the size `below`."""
        if x.level <= 2 and self.side is None and self.model.device.type == "cpu":
            make_room(4 * below[0] * below[1] * self.model.encoder.spec.channels(1))
        return Stepped(x, self.model.decoder.stages[x.level - 1], (below[0], below[1]), self.wrap, affine)

    def settled(self, field: Field) -> Field:
        """The field, computed where it is in memory, and left for later where it is not."""
        return self.kept(field) if self.side is None else field

    def kept(self, field: Field) -> Field:
        """The field, computed and kept, in memory or in a file, to be read again."""
        return self.measured(field, lambda *_: ())[0]

    def measured(self, field: Field, measure: Measure) -> tuple[Field, list[Gaussian | None]]:
        """The field, kept, and what its windows say together about each region."""
        parts: list[Gaussian | None] = []
        held, filed = None, None
        for window, x in self.read(field):
            if not isinstance(field, Held):  # those have been looked at
                finite(x, "features")
            parts = joined(parts, measure(x, window))
            if self.side is None:
                held = Held(field.level, x)
            elif field.level != CHEAP and not isinstance(field, Filed):
                filed = filed or Filed(field.level, field.size, x.shape[1], scratch(), device=self.model.device)
                filed.write(window, x)
            del x  # before the next window is computed
        return held or filed or field, parts

    def collected(self, field: Field) -> Tensor:
        """All of a field, (1, C, h, w)."""
        if self.side is None:
            return field.read(Window.whole(field.size))
        parts = self.read(field)
        window, x = next(parts)
        whole = x.new_empty((*x.shape[:2], *field.size))
        window.of(whole).copy_(x)
        for window, x in parts:
            window.of(whole).copy_(x)
        return whole

    def read(self, field: Field) -> Iterator[tuple[Window, Tensor]]:
        """A field's windows and their parts, one after the other."""
        windows = self.windows(field)
        for done, window in enumerate(windows, 1):
            yield window, field.read(window)
            if self.side is not None:
                self.watch(done / len(windows))

    def windows(self, field: Field) -> Sequence[Window]:
        """The windows by which a field is worked through: all of it, or as large as memory allows at its level."""
        if self.side is None:
            return [Window.whole(field.size)]
        # The deeper the level, the less there is to hold per pixel of the picture, and the more margins count.
        step = 2 ** (max(1, field.level) - 1)
        side = self.side * 2 ** max(1, field.finest) // 4
        return list(tiles(field.size, max(1, side // step), max(1, 16 // step)))
