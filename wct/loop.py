"""The one loop: coarse to fine, map the features of each level, and go down to pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce

import torch

from wct.canvas import Canvas
from wct.fields import Combined, Field
from wct.gaussian import DECODED, ENCODED, Gaussian, joined
from wct.linalg import at
from wct.look import Look
from wct.maps import AffineMap, FeatureMap
from wct.models.decoder import Affine
from wct.models.encoder import halved
from wct.plan import Key, Memory, Plan
from wct.regions import Layout
from wct.transforms import transform

__all__ = ["Loop"]

FINE = 3
"""Up to this level an affine map becomes part of the decoder's first convolution. Features are many there, and where
they are mapped by themselves they are read and written once more: 0.446, 0.431 and 0.417 s instead of 0.380, 0.374 and
0.404 for compact at 512x512 (medians of 15, in turns). Deeper, joining the weights is as much work with vgg19, or more:
2.1 GFLOP for 2.1 at relu4_1, 2.4 for 0.5 at relu5_1."""


@dataclass(frozen=True)
class Loop:
    """One way through the levels for pictures of any size.

    Attributes:
        canvas: how to work through fields.
        look: what to do at which level.
        layout: the styles, and which pixels take them.
        tell: called with what it was after every step, `Look.steps` times in all.
        plan: maps solved before, which are applied as they are; None measures the pictures and solves them.
        memory: statistics of pictures before these, to which theirs are added.
    """

    canvas: Canvas
    look: Look
    layout: Layout
    tell: Callable[[str], None] = lambda _: None
    plan: Plan | None = None
    memory: Memory | None = None
    solved: dict[Key, FeatureMap] = field(default_factory=dict)
    """The maps of the first region, as they were solved."""
    flat: dict[int, bool] = field(default_factory=dict)
    """Which regions are, by their number, as far as that is known."""

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Field]) -> list[Field]:
        """Pixels of pictures that belong together, RGB in 0..1, to as many of the same sizes, clamped to 0..1.

        Their statistics are merged: they are windows of one picture.
        """
        found = list(pictures)
        for turn in range(self.look.passes):
            made = self._pass(found, turn)
            found = [self.canvas.settled(Combined((one,), lambda _, x: x.clamp(0, 1))) for one in made]
            if turn + 1 < self.look.passes:
                found = [self.canvas.kept(one) for one in found]
        return found

    def _pass(self, pictures: Sequence[Field], turn: int) -> list[Field]:
        found, depth = list(pictures), 0
        own: list[Mapping[int, Field]] = []
        affine: Affine | None = None
        for level in range(max(self.look.levels), 0, -1):
            name = f"relu{level}_1"
            if level in self.look.levels:
                if depth == 0:
                    with at(name, "encode"):
                        own = [self._encoded(one, level) for one in found]
                    found, depth = [features[level] for features in own], level
                    self.tell(f"{name} encode")
                with at(name, "transform"):
                    found, affine = self._mapped(found, level, turn)
                self.tell(f"{name} transform")
            if depth == level:
                depth = 0 if self.look.mode == "cascade" else level - 1
                with at(name, "decode"):
                    for k in range(level, depth, -1):
                        found = [self._stepped(*each, k, affine) for each in zip(found, pictures, own, strict=True)]
                        affine = None
                    if self.look.mode == "cascade":
                        found = [self.canvas.kept(one) for one in found]
                self.tell(f"{name} decode")
        return found

    def _encoded(self, pixels: Field, level: int) -> Mapping[int, Field]:
        """Features of a level, and for photos of all levels below it."""
        return self.canvas.encoded(pixels, range(1, level + 1) if self.look.mode == "photo" else (level,))

    def _mapped(self, found: Sequence[Field], level: int, turn: int) -> tuple[list[Field], Affine | None]:
        """The features as the maps change them, or as they are, and the map that the decoder shall begin with."""
        if self.plan is None:
            measure = partial(self.layout.measure, level)
            measured = [self.canvas.measured(one, measure) for one in found]
            found = [one for one, _ in measured]
            maps = self._solved(reduce(joined, (parts for _, parts in measured)), level, turn)
        else:
            maps = [self.plan.maps[turn, level]]
        first, *others = maps
        if level <= FINE and not others and isinstance(first, AffineMap):
            return list(found), (first.matrix, first.offset)
        apply = partial(self.layout.apply, maps, level)
        halo = max(one.halo for one in maps)
        return [self.canvas.settled(Combined((one,), apply, halo)) for one in found], None

    def _solved(self, parts: list[Gaussian | None], level: int, turn: int) -> list[FeatureMap]:
        """The maps of the regions, from the statistics of the pictures in them."""
        parts = self._calmed(parts, first=(turn, level) == (0, max(self.look.levels)))
        if self.memory is not None:
            parts = self.memory((turn, level), parts)
        change = transform(self.look.transform, self.look.rank)
        strength = self.look.strength_at(level)
        maps = [one.toward_identity(strength) for one in self.layout.maps(parts, level, change)]
        self.solved[turn, level] = maps[0]
        return maps

    def _calmed(self, parts: Sequence[Gaussian | None], first: bool) -> list[Gaussian | None]:
        """The parts without variation where a region is flat.

        That is known from its `first` features, of which all others are made: with VGG-19 in bfloat16 decoders and
        encoder make of a flat picture's rounding up to 1.7 times the mean. A single feature says nothing yet.
        """
        share = (ENCODED if first else DECODED)[self.canvas.model.precision]
        for number, part in enumerate(parts):
            if number not in self.flat and part is not None and part.n >= 2:
                self.flat[number] = not part.varies(share)
        return [part and part.calmed() if self.flat.get(number) else part for number, part in enumerate(parts)]

    def _stepped(self, x: Field, pixels: Field, own: Mapping[int, Field], level: int, affine: Affine | None) -> Field:
        """One level down the decoders; for photos with the detail that the decoders alone would lose."""
        size = halved(pixels.size, max(1, level - 1))
        below = self.canvas.stepped(x, size, affine)
        if self.look.mode == "photo":
            # What the decoder misses of the picture's own features goes past it, so that without a map nothing changes.
            carried = own[level - 1] if level > 1 else pixels
            missed = self.canvas.stepped(own[level], size)
            below = Combined((below, carried, missed), lambda _, made, mine, again: made + (mine - again))
        return self.canvas.settled(below)
