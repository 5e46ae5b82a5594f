"""Cluster: an engine whose workers are processes on many machines."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from wct.canvas import Canvas
from wct.distributed.parcel import Parcel, opened, packed
from wct.distributed.work import Block, Names, task
from wct.engine import Engine, Local
from wct.errors import InputError, MissingExtraError, UsageError
from wct.images.label import one_line
from wct.memory import window_side
from wct.models import Model
from wct.windows import Size

__all__ = ["Cluster"]

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 3
"""Tasks for each worker that are begun or wait, so that none has to wait for the next."""

RETRIES = 20
"""How often a task is done again whose worker or machine is lost, before that is an error."""


class Cluster:
    """The workers of a Ray cluster, as a context manager: one for each CPU, or for each GPU or part of one.

    wct of the same version is installed on all machines. Files are read and written by the workers under the names
    that they have on the driver; windows of one large picture go through the object store.

    Args:
        address: of the cluster; None starts one on this machine, which ends with the context.
        gpus: share of a GPU that a worker takes, such as 0.5; 0 for none; None for 1 where the cluster has GPUs.

    Raises:
        MissingExtraError: Ray is not installed.
        UsageError: there is no cluster at the address, or it has no GPU.
    """

    def __init__(self, address: str | None = None, *, gpus: float | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
        self._ray = ray = _ray()
        try:
            if address is None:
                ray.init("local", log_to_driver=False, logging_level="ERROR", include_dashboard=False)
            else:
                ray.init(address, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(f"no Ray cluster at {address or 'this machine'}: {one_line(error)}") from error
        there = ray.cluster_resources().get("GPU", 0)
        self._gpus = float(there > 0) if gpus is None else gpus
        if not 0 <= self._gpus <= there:
            raise UsageError(f"gpus is {self._gpus:g} for each worker; the cluster has {there:g}")
        self._models: dict[Model, Any] = {}
        self._task = ray.remote(task).options(
            num_returns=2, num_cpus=1, num_gpus=self._gpus, max_retries=RETRIES, name="wct"
        )

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def __reduce__(self) -> tuple[type[Engine], tuple[()]]:
        return Local, ()  # a worker does its work itself

    @property
    def workers(self) -> int:
        """How many there are now."""
        there = self._ray.cluster_resources()
        return max(1, int(there.get("GPU", 0) / self._gpus if self._gpus else there.get("CPU", 1)))

    def side(self, model: Model, size: Size) -> int | None:
        side = window_side(model.card.spec, precision=model.precision)
        return side if max(size) > side else None

    def canvas(self, model: Model, side: int | None) -> Canvas:
        from wct.distributed.canvas import RayCanvas

        return RayCanvas(model, side, cluster=self)

    def each(self, work: Callable[[Iterable[T]], Iterable[R]], items: Iterable[T], share: int = 1) -> Iterator[R]:
        names = Names()
        parcel = packed(_Share(work), names)
        left = iter(items)
        shares = iter(lambda: tuple(islice(left, share)), ())
        for _, results in self.run(names, parcel, ((some, {}) for some in shares)):
            yield from results

    def put(self, thing: object) -> Any:
        """A reference to a thing in the object store."""
        return self._ray.put(thing)

    def run(
        self, names: Names, work: Parcel, items: Iterable[tuple[object, Mapping[Block, Any]]]
    ) -> Iterator[tuple[Any, Any]]:
        """Do some work on each item somewhere, and give what it leaves in the store and what it tells, in their order.

        Args:
            names: what the work was packed with.
            work: packed `work(item) -> (left, told)`.
            items: each with references to the blocks of fields that it needs.

        Raises:
            What the work raises, and MemoryError where a worker runs out of memory.
        """
        parcel, model = self.put(work), self._model(names.model)
        limit, begun = AHEAD * self.workers, deque[tuple[Any, Any]]()
        for item, blocks in items:
            begun.append(self._task.remote(model, parcel, packed(item), list(blocks), *blocks.values()))
            if len(begun) >= limit:
                yield self._result(*begun.popleft())
        while begun:
            yield self._result(*begun.popleft())

    def _model(self, model: Model | None) -> list[Any]:
        """A reference to a model in a list, so that workers fetch it only where they lack it."""
        if model is None:
            return []
        if model not in self._models:
            states = model.encoder.state_dict(), model.decoder.state_dict()
            self._models[model] = self.put(packed((model.card, model.precision, *states)))
        return [self._models[model]]

    def _result(self, left: Any, told: Any) -> tuple[Any, Any]:
        from ray import exceptions

        try:
            result, warned = opened(self._ray.get(told))
        except exceptions.RayTaskError as error:
            raise error.cause from error
        except exceptions.OutOfMemoryError as error:
            raise MemoryError(f"a worker ran out of memory ({one_line(error)})") from error
        for message in warned:
            warnings.warn(message, stacklevel=2)
        return left, result


class _Share:
    """Work on several items as work on one, in the driver's folder, so that files go by the same names."""

    def __init__(self, work: Callable[[Iterable[Any]], Iterable[Any]]) -> None:
        self._work, self._folder = work, os.getcwd()

    def __call__(self, items: Iterable[Any]) -> tuple[None, list[Any]]:
        try:
            os.chdir(self._folder)
        except OSError as error:
            cause = one_line(error)
            raise InputError(f"{self._folder}: not on every machine ({cause}); start where all can read") from error
        return None, list(self._work(items))


def _ray() -> Any:
    """The package ray; MissingExtraError where it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            "many machines need Ray, which is not installed; pip install 'wct[distributed]'"
        ) from error
    return ray
