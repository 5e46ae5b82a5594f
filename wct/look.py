"""Look: everything about a stylisation but the content and the style."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from wct.errors import UsageError
from wct.models.spec import LEVELS

__all__ = ["BLENDS", "COLORS", "LARGEST_SCALE", "LOOK", "MODES", "PHOTO", "TEXTURE", "TRANSFORM_NAMES", "Look"]

MODES = ("single", "cascade", "photo")

COLORS = ("style", "content", "luminance")
"""The style's colours, the content's through the style picture, or the content's with only the result's lightness."""

BLENDS = ("maps", "barycentre")
"""How several styles become one: the mean of their maps (Li et al. 2017), or one Gaussian between theirs."""

LARGEST_SCALE = 4.0
"""How much style pictures may be enlarged."""

TRANSFORM_NAMES = ("wct", "ot", "adain", "mean", "swap", "whiten", "color")
"""Those of `wct.transforms.TRANSFORMS`, known without loading it."""

_STROKES = (5, 4)
"""Levels that draw anew."""


@dataclass(frozen=True)
class Look:
    """How strongly, where and by what transform the style is applied.

    Attributes:
        alpha: strength, 0 (the content, encoded and decoded) to 1 (the style's statistics in full); more exaggerates.
        levels: which of relu1_1 … relu5_1 are transformed, as numbers 1 to 5, in any order.
        strength: per-level factors on alpha, {level: factor >= 0}; 1 where absent.
        mode: "single" encodes once and steps down the decoder chain, transforming at each level on the way;
            "cascade" is the paper's: decode to pixels and encode again for every level; "photo" is single with all
            detail carried past the decoders, for results that stay photographs.
        transform: name of the transform: "ot" gives features the style's statistics by moving them least, "wct" by
            whitening and coloring as in the paper; see `wct.transforms`.
        rank: how many leading directions of the style are transferred at each level; None for all.
        passes: how many times the whole is done, each time on the last result; 1 or more.
        color: whose colours the result has: "style", "content" (the style picture takes on the content's colours
            first), or "luminance" (only lightness changes).
        color_strength: how far `color` goes from the style's colours (0) to what it says (1).
        detail: how much of the content's fine structure is restored at the end, 0 (none) to 1.
        grain: noise that the content is given first, 0 to 255 grey levels of standard deviation, so that the style has
            something to make strokes of in flat areas. There is as much of it as levels 4 and 5 are transformed, at
            most; in mode photo none.

    Raises:
        UsageError: a value is out of range or unknown.
    """

    alpha: float = 1.0
    levels: tuple[int, ...] = (5, 4, 3, 2, 1)
    strength: Mapping[int, float] = field(default_factory=dict)
    mode: str = "single"
    # Departure from the paper, whose way is "wct": measured on 12 pairs, optimal transport comes nearer to the style
    # (0.32 against 0.37) and stays nearer to the content (1.24 against 1.33); without it relu1_1 leaves a two-pixel
    # pattern along edges.
    transform: str = "ot"
    rank: int | None = None
    passes: int = 1
    color: str = "style"
    color_strength: float = 1.0
    detail: float = 0.0
    # Departure from the paper, which has none: clear skies and walls stay smooth then, with lines across. Measured on
    # 64 pairs, 4 grey levels come nearer to the style (0.334 against 0.340), at 1.326 for 1.316 from the content.
    grain: float = 4.0

    def __post_init__(self) -> None:
        self._check_numbers()
        if not self.levels:
            raise UsageError("no levels; needs at least one of 1 to 5")
        for what, level in (*(("level", k) for k in self.levels), *(("strength of level", k) for k in self.strength)):
            if level not in LEVELS:
                raise UsageError(f"{what} {level!r} is unknown; needs whole numbers from 1 (relu1_1) to 5 (relu5_1)")
        for what, name, known in (("mode", self.mode, MODES), ("color", self.color, COLORS)):
            if name not in known:
                raise UsageError(f"{what} {name!r} is unknown; choose {', '.join(known[:-1])} or {known[-1]}")

    def _check_numbers(self) -> None:
        for what, value in (("alpha", self.alpha), *((f"strength of level {k}", v) for k, v in self.strength.items())):
            if not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{what} is {value}; needs a finite number of 0 or more")
        for what, value in (("color_strength", self.color_strength), ("detail", self.detail)):
            if not 0 <= value <= 1:
                raise UsageError(f"{what} is {value}; needs a number from 0 to 1")
        if not 0 <= self.grain <= 255:
            raise UsageError(f"grain is {self.grain}; needs a number of grey levels from 0 to 255")
        if self.passes < 1:
            raise UsageError(f"passes is {self.passes}; needs 1 or more")
        if self.rank is not None and self.transform == "swap":
            raise UsageError(f"rank is {self.rank} with transform swap, which matches patches; leave one of them out")
        if self.rank is not None and self.rank < 0:
            raise UsageError(f"rank is {self.rank}; needs 0 or more, or none for all directions")

    def strength_at(self, level: int) -> float:
        """How far the map of a level goes from the identity (0) to the style (1)."""
        return self.alpha * self.strength.get(level, 1.0)

    @property
    def noise(self) -> float:
        """Standard deviation of the grain on pixels in 0..1.

        The deepest levels make strokes of it; what the others keep of a picture, or maps of rank 0, has it still.
        """
        if self.mode == "photo" or self.rank == 0:
            return 0.0
        painted = max((self.strength_at(level) for level in self.levels if level in _STROKES), default=0.0)
        return self.grain / 255 * min(1.0, painted)

    def reduced(self, factor: float) -> Look:
        """The look for a picture `factor` >= 1 times smaller that shows what this look gives at full size.

        Halving a picture moves everything one level up: what relu4_1 sees in the large one, relu3_1 sees in the small
        one. The finest levels' work is too small to be seen. Measured from 1024 to 256 pixels on 4 pairs: the distance
        of the statistics to the large result, reduced, falls from 0.53 to 0.30, with the style reduced alike.
        """
        octaves = round(math.log2(factor))
        levels = {max(1, level - octaves): self.strength.get(level, 1.0) for level in sorted(self.levels)}
        return replace(self, levels=tuple(levels), strength=levels)

    @property
    def steps(self) -> int:
        """Number of encodings, transforms and decodings of a stylisation."""
        levels = set(self.levels)
        once = 3 * len(levels) if self.mode == "cascade" else 1 + len(levels) + max(levels)
        return self.passes * once


LOOK = Look()
"""What nobody has to ask for."""

PHOTO = Look(levels=(3, 2, 1), mode="photo", detail=1.0)
"""Results that stay photographs: the deepest levels, which move shapes, are left out."""

TEXTURE = Look(passes=3)
"""Textures from noise: one pass leaves noise between the strokes, more than three hardly change anything."""
