"""Plans: the maps of a stylisation, solved once, for other pictures of the same kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from wct.errors import UsageError
from wct.gaussian import Gaussian, joined
from wct.look import Look
from wct.maps import FeatureMap, mix
from wct.style import Style

__all__ = ["Key", "Memory", "Plan"]

Key = tuple[int, int]
"""(turn, level): which pass over the picture, counted from 0, and the level."""


@dataclass(frozen=True, eq=False)
class Plan:
    """All that a stylisation does to features: the frames of a shot share one, so that nothing flickers.

    Attributes:
        style: whose it is.
        look: with which settings.
        maps: one for each pass and level.
    """

    style: Style
    look: Look
    maps: Mapping[Key, FeatureMap]

    def between(self, other: Plan, t: float) -> Plan:
        """The mix of two plans with the same look: this one at t = 0, the other at t = 1.

        Raises:
            UsageError: t is not in 0..1, or the plans differ in passes, levels or model.
        """
        if not 0 <= t <= 1:
            raise UsageError(f"t is {t}; needs a number from 0 to 1")
        if set(self.maps) != set(other.maps):
            raise UsageError("the plans have different passes or levels; make both with one look")
        maps = {key: mix([one, other.maps[key]], [1 - t, t]) for key, one in self.maps.items()}
        return replace(self, style=Style.blend([self.style, other.style], [1 - t, t]), maps=maps)


@dataclass(frozen=True, eq=False)
class Memory:
    """Statistics of the pictures so far, the older the fainter: for streams, whose shots nobody knows in advance.

    Attributes:
        keep: share of its weight that what is remembered keeps with every picture, 0 (nothing) up to but below 1.
        parts: for each pass and level the Gaussian of every region.

    Raises:
        UsageError: `keep` is out of range.
    """

    keep: float
    parts: dict[Key, list[Gaussian | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.keep < 1:
            raise UsageError(f"keep is {self.keep}; needs a number from 0 up to but below 1")

    def __call__(self, key: Key, parts: Sequence[Gaussian | None]) -> list[Gaussian | None]:
        """The Gaussians of a picture's regions together with those remembered; remembers the result."""
        faded = [one and replace(one, n=self.keep * one.n) for one in self.parts.get(key, ())] if self.keep else []
        self.parts[key] = joined(faded, parts)
        return self.parts[key]
