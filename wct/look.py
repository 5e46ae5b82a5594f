"""Look: everything about a stylisation but the content and the style."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from wct.errors import UsageError
from wct.models.spec import LEVELS

__all__ = ["MODES", "STYLE_SIZE", "Look"]

MODES = ("single", "cascade")

STYLE_SIZE = 512
"""Short side to which larger style pictures are reduced: the size of the strokes should not depend on the scan."""


@dataclass(frozen=True)
class Look:
    """How strongly, where and by what transform the style is applied.

    Attributes:
        alpha: strength, 0 (the content, encoded and decoded) to 1 (the style's statistics in full).
        levels: which of relu1_1 … relu5_1 are transformed, as numbers 1 to 5, in any order.
        strength: per-level factors on alpha, {level: factor >= 0}; 1 where absent.
        mode: "single" encodes once and steps down the decoder chain, transforming at each level on the way;
            "cascade" is the paper's: decode to pixels and encode again for every level.
        transform: name of the transform, "wct" for whitening and coloring.

    Raises:
        UsageError: a value is out of range or unknown.
    """

    alpha: float = 1.0
    levels: tuple[int, ...] = (5, 4, 3, 2, 1)
    strength: Mapping[int, float] = field(default_factory=dict)
    mode: str = "single"
    transform: str = "wct"

    def __post_init__(self) -> None:
        for what, value in (("alpha", self.alpha), *((f"strength of level {k}", v) for k, v in self.strength.items())):
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{what} is {value}; needs a finite number of 0 or more")
        if not self.levels:
            raise UsageError("no levels; needs at least one of 1 to 5")
        for level in (*self.levels, *self.strength):
            if level not in LEVELS:
                raise UsageError(f"level {level!r} is unknown; needs whole numbers from 1 (relu1_1) to 5 (relu5_1)")
        if self.mode not in MODES:
            raise UsageError(f"mode {self.mode!r} is unknown; choose {' or '.join(MODES)}")

    def strength_at(self, level: int) -> float:
        """How far the map of a level goes from the identity (0) to the style (1)."""
        return self.alpha * self.strength.get(level, 1.0)

    @property
    def steps(self) -> int:
        """Number of encodings, transforms and decodings of a stylisation."""
        levels = set(self.levels)
        return 3 * len(levels) if self.mode == "cascade" else 1 + len(levels) + max(levels)
