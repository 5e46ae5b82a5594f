"""Where to compute."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from wct.errors import UsageError

__all__ = ["choose_device", "make_exact", "placed"]

M = TypeVar("M", bound=nn.Module)


def choose_device(name: str | None = None) -> torch.device:
    """The named device, or the best one present: CUDA, then Apple's MPS, then the CPU.

    Raises UsageError for a name that torch does not know or a device that is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name is None or name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if there[kind])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if not there.get(device.type, False) or (
        device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    ):
        present = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise UsageError(f"device {name!r} is not there; choose auto or one of {present}")
    make_exact(device)
    return device


def make_exact(device: torch.device) -> None:
    """Convolutions on CUDA in full float32, and the same each time; nothing to do elsewhere.

    torch lets them compute in TF32, whose 10 bits pass what counts as variation: with inputs and weights rounded to
    them, flat pictures became noise of 60 grey levels.
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.deterministic = True


def placed(module: M, device: torch.device) -> M:
    """The module on `device`, its weights channels last: the order in which convolutions are fastest."""
    make_exact(device)
    return module.to(device).to(memory_format=torch.channels_last)
