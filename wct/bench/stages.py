"""Stages: where the time of a stylisation goes, seen from outside while the engine does its usual work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import pairwise
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

import wct.bench.reference
import wct.bench.work
import wct.stylizer
from wct.bench.clock import Clock, Mark
from wct.bench.reference import Reference
from wct.gaussian import Gaussian
from wct.images import Picture
from wct.models.decoder import Stage
from wct.models.encoder import Encoder
from wct.regions import Layout

__all__ = ["OTHER", "STAGES", "convolution_flops", "timed"]

STAGES: dict[str, tuple[tuple[Any, str], ...]] = {
    "image_io": ((wct.stylizer, "read"), (wct.stylizer, "opened"), (wct.bench.work, "read"), (Picture, "save")),
    "encode": ((Encoder, "forward"), (Reference, "encode")),
    "statistics": ((Gaussian, "of"), (wct.bench.reference, "moments")),
    "solve": ((Layout, "maps"), (wct.bench.reference, "principal")),
    "map": ((Layout, "apply"), (wct.bench.reference, "whiten_and_color")),
    "decode": ((Stage, "forward"), (Reference, "decode")),
}
"""The functions that make up each stage, by the module or class that holds them."""

OTHER = "other"
"""What no stage takes: grain, resizing, checks, copies between devices."""


def timed(run: Callable[[], object], clock: Clock) -> dict[str, float]:
    """Seconds of each of `STAGES`, and of the rest, in one run. Together they are all of its time.

    A stage that calls another stops while that one runs.
    """
    clock.settle()
    with _watched(clock) as marks:
        run()
    clock.settle()
    seconds = dict.fromkeys((*STAGES, OTHER), 0.0)
    for (stage, start), (_, stop) in pairwise(marks):
        seconds[stage] += clock.seconds(start, stop)
    return seconds


def convolution_flops(run: Callable[[], object]) -> int:
    """Floating-point operations of all networks' convolutions in a run; a multiplication and an addition are two.

    As they are done: 0.7 % of them multiply zeros, which `wct.models.encoder` adds to convolve faster. Maps, which
    `wct.maps` may do as convolutions, are not among them: no module calls those.
    """
    with FlopCounterMode(display=False) as counter:
        run()
    found = counter.get_flop_counts()
    modules = [counts for name, counts in found.items() if name != "Global" and "." not in name]
    return sum(count for counts in modules for kind, count in counts.items() if "convolution" in str(kind))


@contextmanager
def _watched(clock: Clock) -> Iterator[list[tuple[str, Mark]]]:
    """The moments at which another stage begins, with its name; the last one is the end."""
    marks: list[tuple[str, Mark]] = []
    active = [OTHER]

    def turn() -> None:
        marks.append((active[-1], clock.mark()))

    def watching(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            active.append(stage)
            turn()
            try:
                return function(*args, **kwargs)
            finally:
                active.pop()
                turn()

        return watched

    before = [(owner, name, vars(owner)[name]) for places in STAGES.values() for owner, name in places]
    try:
        for stage, places in STAGES.items():
            for owner, name in places:
                own = vars(owner)[name]
                if isinstance(own, classmethod):
                    setattr(owner, name, classmethod(watching(stage, own.__func__)))
                else:
                    setattr(owner, name, watching(stage, own))
        turn()
        yield marks
        turn()
    finally:
        for owner, name, own in before:
            setattr(owner, name, own)
