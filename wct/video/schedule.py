"""Schedules: which style a clip has when."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from wct.errors import UsageError
from wct.style import Style

__all__ = ["Between", "Schedule"]

PARTS = 4
"""Steps between two keyframes at which a style of its own is made; in between maps are mixed, which is cheaper."""


@dataclass(frozen=True, eq=False)
class Between:
    """A moment between two styles: `t` of the way from `first` to `second`, in 0..1."""

    first: Style
    second: Style
    t: float


class Schedule:
    """Styles over time: from keyframe to keyframe along Wasserstein barycentres, before and after them unchanging.

    Args:
        keyframes: (seconds, style) in any order, at least one.

    Raises:
        UsageError: there is none, a time is negative, not finite or given twice, or the styles do not go together.
        ModelError: the styles were made by different models.
    """

    def __init__(self, keyframes: Sequence[tuple[float, Style]]) -> None:
        given = sorted(keyframes, key=lambda pair: pair[0])
        if not given:
            raise UsageError("no keyframe given; needs at least one style")
        if bad := [time for time, _ in given if not (math.isfinite(time) and time >= 0)]:
            raise UsageError(f"keyframe at {bad[0]:g} s; needs a time of 0 or more")
        if twice := [a for (a, _), (b, _) in pairwise(given) if a == b]:
            raise UsageError(f"keyframe at {twice[0]:g} s is given twice; give one style for a time")
        self.keyframes = tuple(given)
        self._times = [given[0][0]]
        self._knots = [given[0][1]]
        for (start, old), (end, new) in pairwise(given):
            for i in range(1, PARTS + 1):
                self._times.append(start + (end - start) * i / PARTS)
                self._knots.append(Style.blend([old, new], [PARTS - i, i], "barycentre"))

    def at(self, time: float) -> Between:
        """The styles around a time in seconds."""
        i = bisect_right(self._times, time)
        if i in (0, len(self._times)):
            only = self._knots[max(i - 1, 0)]
            return Between(only, only, 0.0)
        start, end = self._times[i - 1], self._times[i]
        return Between(self._knots[i - 1], self._knots[i], (time - start) / (end - start))
