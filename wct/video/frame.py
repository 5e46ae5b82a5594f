"""Frames: what a film or an image sequence is made of, and what all clips have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wct.images import Picture

__all__ = ["Array", "Clip", "Frame", "pixels"]

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a clip, upright.

    Attributes:
        picture: its pixels; of a broken frame those of the last good one, or of the first where there is none yet.
        pts: when it is shown, in units of the clip's time base.
        number: of its file in an image sequence; from 1 in a film.
        broken: it could not be read.
    """

    picture: Picture
    pts: int
    number: int
    broken: bool = False


class Clip(Protocol):
    """A film or an image sequence that can be read from its start as often as wanted, unless it is a stream.

    Attributes:
        name: for messages.
        time_base: seconds in one unit of `Frame.pts`.
        rate: nominal frames per second.
        count: frames expected, or None where nobody knows.
    """

    @property
    def name(self) -> str: ...
    @property
    def time_base(self) -> Fraction: ...
    @property
    def rate(self) -> Fraction: ...
    @property
    def count(self) -> int | None: ...

    def frames(self) -> Iterator[Frame]:
        """All frames in the order in which they are shown, from the start."""


def pixels(picture: Picture) -> Array:
    """(H, W, 3) float32 in 0..1 of a picture."""
    return np.ascontiguousarray(picture.rgb.permute(1, 2, 0).cpu().numpy())
