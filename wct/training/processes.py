"""Several processes that train one model, as `torchrun` and `accelerate launch` start them.

Every process takes its share of each batch. What is summed or averaged over a batch is so over all processes, and the
parts of the loss, and with them the gradients, add up to those of the whole batch. One process alone is its own whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.rendezvous import rendezvous

from wct.devices import choose_device
from wct.errors import TrainingError, UsageError
from wct.images.label import one_line

__all__ = [
    "add_gradients",
    "gathered",
    "is_main",
    "joined",
    "mean",
    "on_this_machine",
    "own_device",
    "share",
    "spread",
    "total",
    "variance",
]

T = TypeVar("T")


def _count() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def _rank() -> int:
    return dist.get_rank() if _count() > 1 else 0


def is_main() -> bool:
    """True in the one process that writes files and talks."""
    return _rank() == 0


@contextmanager
def _reaching() -> Iterator[None]:
    """TrainingError where another process does not answer."""
    try:
        yield
    except RuntimeError as error:
        raise TrainingError(
            f"another process of the training stopped or cannot be reached ({one_line(error)}); what it said tells why"
        ) from error


@contextmanager
def joined() -> Iterator[None]:
    """Meet the other processes where the environment (WORLD_SIZE, RANK, MASTER_ADDR …) says that there are any.

    Of those that fail only the first raises its error, which is the cause; the others end with SystemExit.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    # Optimisers load it, and loaded later it would hold on to the processes' group: what that has of threads would live
    # until Python ends, where a thread that lets go of a tensor aborts the process.
    import torch._dynamo

    with _reaching():
        store, rank, count = next(iter(rendezvous("env://")))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=count)
    try:
        yield
    except BaseException as error:
        first = True
        with suppress(RuntimeError):  # where the store is gone too
            first = store.add("failed", 1) == 1
        if first:
            raise
        raise SystemExit(1) from error
    # Not after an error: that would wait for processes that are gone.
    with _reaching():
        dist.barrier()
        dist.destroy_process_group()


def on_this_machine() -> int:
    """How many of the processes share this machine, as who started them says."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def own_device(name: str) -> torch.device:
    """`choose_device`, but each of several processes gets a GPU of its own: that of its place on its machine.

    Raises UsageError where there are too few GPUs, where `name` is one certain GPU, and for MPS.
    """
    device = choose_device(name)
    if _count() == 1 or device.type == "cpu":
        return device
    here, there = on_this_machine(), torch.cuda.device_count()
    if device.type != "cuda" or device.index is not None:
        raise UsageError(f"device {name!r} is for one process, not {_count()}; choose cpu, or cuda for a GPU each")
    if here > there:
        raise UsageError(f"{here} processes on a machine with {there} GPUs; start at most one for each, or choose cpu")
    place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(place)
    return place


def share(n: int) -> range:
    """Which of the n pictures of a batch are this process's; TrainingError where there is not one for every process."""
    if n < _count():
        raise TrainingError(
            f"a batch of {n} cannot be shared by {_count()} processes; start at most {n}, or raise batch in the recipe"
        )
    return range(_rank(), n, _count())


def total(x: Tensor) -> Tensor:
    """The sum of a tensor over all processes, without gradient."""
    x = x.detach()
    if _count() > 1:
        x = x.clone(memory_format=torch.contiguous_format)
        with _reaching():
            dist.all_reduce(x)
    return x


def mean(x: Tensor) -> Tensor:
    """This process's part, with gradient, of the mean of the numbers in x over all processes: parts add up to it."""
    return x.sum() / total(torch.full((), float(x.numel()), device=x.device))


def variance(x: Tensor) -> Tensor:
    """The variance per channel of x (N, C, H, W) over the pictures and pixels of all processes, (C,), no gradient."""
    x = x.detach().float()
    n = total(torch.full((), x.numel() // x.shape[1], device=x.device))
    centred = x - (total(x.sum((0, 2, 3))) / n)[:, None, None]
    return total(centred.square().sum((0, 2, 3))) / (n - 1)


def gathered(mine: Iterable[T]) -> list[T]:
    """What all processes have, in every process; of tensors those on the CPU."""
    everyones = [list(mine)]
    if _count() > 1:
        everyones *= _count()
        with _reaching():
            dist.all_gather_object(everyones, everyones[0])
    return [one for some in everyones for one in some]


def add_gradients(weights: Iterable[Tensor]) -> None:
    """Replace the gradients of the weights by their sums over all processes."""
    if _count() == 1:
        return
    weights = list(weights)
    # A process whose share has no picture of a level has no gradient for what only that level uses.
    used = total(torch.tensor([weight.grad is not None for weight in weights], device=weights[0].device).int())
    some = [weight for weight, times in zip(weights, used.tolist(), strict=True) if times]
    sums = total(_flat(weight.new_zeros(weight.shape) if weight.grad is None else weight.grad for weight in some))
    for weight, whole in zip(some, _cut(sums, some), strict=True):
        # In the weight's own order of memory: the fused optimiser takes that for granted.
        weight.grad = torch.empty_like(weight).copy_(whole)


@torch.no_grad()
def spread(module: nn.Module) -> None:
    """Give the weights that `module` has in the main process to all."""
    if _count() == 1:
        return
    weights = list(module.parameters())
    whole = _flat(weights)
    with _reaching():
        dist.broadcast(whole, 0)
    for weight, values in zip(weights, _cut(whole, weights), strict=True):
        weight.copy_(values)


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([x.reshape(-1) for x in tensors])


def _cut(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    parts = torch.split(flat, [x.numel() for x in like])
    return [part.view(x.shape) for part, x in zip(parts, like, strict=True)]
