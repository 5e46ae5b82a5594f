"""Engines: where the work is done. This process is one; `wct.distributed` has another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from wct.canvas import Canvas
from wct.memory import choose_side
from wct.models import Model
from wct.windows import Size

__all__ = ["Engine", "Local"]

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """What works through windows, pictures and frames. Results do not depend on it."""

    def side(self, model: Model, size: Size) -> int | None:
        """The side of the windows that suit pictures of `size`, None for one piece."""

    def canvas(self, model: Model, side: int | None) -> Canvas:
        """A canvas with windows of `side` pixels, or for one piece."""

    def each(self, work: Callable[[Iterable[T]], Iterable[R]], items: Iterable[T], share: int = 1, /) -> Iterator[R]:
        """What `work` gives for the items, one for each, in their order.

        `work` may be done by several at once, on `share` items at a time; then it and all it holds must pickle.
        """


class Local:
    """This process."""

    def side(self, model: Model, size: Size) -> int | None:
        return choose_side(size, model.card.spec, model.device, model.precision)

    def canvas(self, model: Model, side: int | None) -> Canvas:
        return Canvas(model, side)

    def each(self, work: Callable[[Iterable[T]], Iterable[R]], items: Iterable[T], _share: int = 1, /) -> Iterator[R]:
        return iter(work(items))
