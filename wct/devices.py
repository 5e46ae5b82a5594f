"""Where to compute, and how exactly."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from wct.errors import UsageError

__all__ = ["PRECISIONS", "choose_device", "choose_precision", "has_kernels", "make_exact", "name_of", "placed"]

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""In what the networks may compute, with 24 bits or with 8. Statistics and maps are float32 and float64 always.

float16, with 11 bits, is left out: processors gain nothing from it, and features of vgg19 exceed its largest number.
"""

M = TypeVar("M", bound=nn.Module)


def choose_device(name: str | None = None) -> torch.device:
    """The named device, or the best one present: CUDA, then Apple's MPS, then the CPU.

    Raises UsageError for a name that torch does not know, a device that is not there, and a GPU of a generation that
    the installed torch was not built for.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name is None or name == "auto":
        works = there | {"cuda": there["cuda"] and has_kernels(0)}
        name = next(kind for kind in ("cuda", "mps", "cpu") if works[kind])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if not there.get(device.type, False) or (
        device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    ):
        present = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise UsageError(f"device {name!r} is not there; choose auto or one of {present}")
    if device.type == "cuda" and not has_kernels(device.index or 0):
        built = ", ".join(torch.cuda.get_arch_list())
        raise UsageError(f"device {name!r}: this torch has no kernels for it, only for {built}; choose cpu")
    make_exact(device)
    return device


def choose_precision(name: str) -> torch.dtype:
    """The one of `PRECISIONS` with that name; UsageError for any other."""
    if name not in PRECISIONS:
        raise UsageError(f"precision: found {name!r}; choose {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def name_of(dtype: torch.dtype) -> str:
    """Its name, as in `PRECISIONS`."""
    return str(dtype).removeprefix("torch.")


def has_kernels(index: int) -> bool:
    """Whether the installed torch was built for a GPU's generation, or has code that can be translated for it."""
    if torch.version.hip is not None:
        return True
    major, minor = torch.cuda.get_device_capability(index)
    for built in torch.cuda.get_arch_list():
        kind, _, number = built.partition("_")
        own = divmod(int(number.rstrip("af")), 10)
        # Binaries run on later ones of the same generation, PTX on all later ones.
        if own <= (major, minor) and (kind == "compute" or own[0] == major):
            return True
    return False


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
