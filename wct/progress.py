"""How far a stylisation has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "Steps"]


@dataclass(frozen=True)
class Progress:
    """`done` of `total` steps of a stylisation, with parts of steps where it goes by windows, and what was last."""

    done: float
    total: int
    what: str


@dataclass
class Steps:
    """Counts the steps of one stylisation and tells `progress`."""

    progress: Callable[[Progress], None]
    total: int
    done: int = 0
    what: str = ""

    def step(self, what: str) -> None:
        """A step is done."""
        self.done, self.what = self.done + 1, what
        self.progress(Progress(self.done, self.total, what))

    def part(self, share: float) -> None:
        """Of the next step, this share is done, 0 to 1."""
        self.progress(Progress(min(self.done + share, self.total), self.total, self.what))
