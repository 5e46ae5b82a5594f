"""From frames to stylised pictures: with one plan for each shot, or live with Gaussians that follow the frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from wct.images import Picture
from wct.look import Look
from wct.plan import Memory, Plan
from wct.style import Style
from wct.stylizer import Stylizer
from wct.video.frame import Frame
from wct.video.schedule import Schedule

__all__ = ["KEEP", "SAMPLES", "Live", "Maker", "Order", "Planned", "made", "sampled", "spread"]

SAMPLES = 16
"""Frames of a shot that its plan is made from."""

KEEP = 0.9
"""How much of what was measured before counts with each live frame: about the last ten frames."""


@dataclass(frozen=True)
class Order:
    """What a stylizer is called with for a frame."""

    picture: Picture
    style: Style | Plan
    options: Mapping[str, Any]


class Maker(Protocol):
    """What says how each frame of a clip is made, one after the other."""

    def start(self) -> None:
        """A shot starts with the next frame."""

    def __call__(self, frame: Frame, time: float) -> Order:
        """For a frame that is shown at `time` in seconds."""


def made(stylizer: Stylizer, orders: Iterable[Order | None]) -> Iterator[Picture | None]:
    """The stylised picture of every frame; none where none was ordered."""
    for order in orders:
        yield None if order is None else stylizer(order.picture, order.style, **order.options)


class Planned:
    """One plan for each shot, and for each style that it has meanwhile."""

    def __init__(self, stylizer: Stylizer, schedule: Schedule, look: Look, shots: Iterator[list[Picture]]) -> None:
        self._stylizer, self._schedule, self._look, self._shots = stylizer, schedule, look, shots
        self._samples: list[Picture] = []
        self._plans: dict[Style, Plan] = {}

    def start(self) -> None:
        self._samples = next(self._shots)
        self._plans = {}

    def __call__(self, frame: Frame, time: float) -> Order:
        now = self._schedule.at(time)
        plan = self._plan(now.first)
        if now.t > 0:
            plan = plan.between(self._plan(now.second), now.t)
        return Order(frame.picture, plan, {})

    def _plan(self, style: Style) -> Plan:
        if style not in self._plans:
            if len(self._plans) > 1:
                del self._plans[next(iter(self._plans))]
            self._plans[style] = self._stylizer.plan(self._samples, style, look=self._look)
        return self._plans[style]


class Live:
    """Gaussians that follow the frames: for streams, of which nobody knows what comes."""

    def __init__(self, schedule: Schedule, look: Look) -> None:
        self._schedule, self._look = schedule, look
        self._memory = Memory(KEEP)

    def start(self) -> None:
        self._memory = Memory(KEEP)

    def __call__(self, frame: Frame, time: float) -> Order:
        now = self._schedule.at(time)
        style = Style.blend([now.first, now.second], [1 - now.t, now.t]) if now.t > 0 else now.first
        return Order(frame.picture, style, {"look": self._look, "memory": self._memory})


def spread(count: int, most: int) -> list[int]:
    """Up to `most` indices below `count`, evenly over it: the middles of as many equal parts."""
    parts = min(count, most)
    return [(2 * i + 1) * count // (2 * parts) for i in range(parts)]


def sampled(frames: Iterable[Frame], starts: Sequence[int], count: int) -> Iterator[list[Picture]]:
    """For each shot up to `SAMPLES` pictures spread over it, read when the shot is asked for.

    Args:
        frames: all frames of the clip.
        starts: the index of the first frame of each shot.
        count: how many frames there are.
    """
    numbered = enumerate(frames)
    for start, end in pairwise((*starts, count)):
        wanted = {start + i for i in spread(end - start, SAMPLES)}
        yield [frame.picture for i, frame in _below(numbered, end) if i in wanted]


def _below(numbered: Iterator[tuple[int, Frame]], end: int) -> Iterator[tuple[int, Frame]]:
    """The frames up to number `end` - 1, leaving the others in `numbered`."""
    for i, frame in numbered:
        yield i, frame
        if i == end - 1:
            return
