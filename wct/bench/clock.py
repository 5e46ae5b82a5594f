"""Clock: time on a device, where work may go on after the call that began it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch

__all__ = ["Clock", "Mark", "best", "spread"]

Mark = float | torch.cuda.Event
"""A moment."""

_RUNS, _ENOUGH = range(3, 30), 0.2
"""How many runs show the best, and the seconds after which no more are needed."""


@dataclass(frozen=True)
class Clock:
    """Measures work on one device: by its own events on CUDA, elsewhere by the time of day when it is done."""

    device: torch.device

    def settle(self) -> None:
        """Wait until the device has done all that it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()

    def mark(self) -> Mark:
        """This moment in the device's work."""
        if self.device.type == "cuda":
            event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            event.record(torch.cuda.current_stream(self.device))
            return event
        self.settle()
        return time.perf_counter()

    def seconds(self, start: Mark, stop: Mark) -> float:
        """From one moment to the other; the device has to be settled."""
        if isinstance(start, float) and isinstance(stop, float):
            return stop - start
        assert isinstance(start, torch.cuda.Event) and isinstance(stop, torch.cuda.Event)
        return float(start.elapsed_time(stop)) / 1000

    def time(self, run: Callable[[], object]) -> float:
        """Seconds that a run takes."""
        start = self.mark()
        run()
        stop = self.mark()
        self.settle()
        return self.seconds(start, stop)


def best(run: Callable[[], object], clock: Clock) -> float:
    """The shortest of several runs after one to warm up, in seconds."""
    clock.time(run)
    times: list[float] = []
    while len(times) < _RUNS.start or (len(times) < _RUNS.stop and sum(times) < _ENOUGH):
        times.append(clock.time(run))
    return min(times)


def spread(times: Sequence[float]) -> dict[str, float]:
    """Median and range of some seconds."""
    return {"median": median(times), "min": min(times), "max": max(times)}
