"""Parcels: objects as bytes that workers understand, with names in place of what they have themselves."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from wct import __version__
from wct.errors import UsageError

__all__ = ["Parcel", "opened", "packed"]

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Parcel:
    """An object on its way.

    Attributes:
        version: of wct where it was packed.
        data: the pickle of the object.
        arrays: its tensors, apart from the rest, so that all workers of a machine share them.
    """

    version: str
    data: bytes
    arrays: list[NDArray[Any]]


def packed(thing: object, named: Callable[[object], object | None] = lambda _: None) -> Parcel:
    """Anything that pickles: functions by value, tensors from any device, and parts that are `named` by name alone."""
    cloudpickle: Any = import_module("ray.cloudpickle")
    arrays: list[NDArray[Any]] = []
    places: dict[int, int] = {}

    class Packer(cloudpickle.CloudPickler):  # type: ignore[misc]
        def persistent_id(self, one: object) -> tuple[str, object] | None:
            if isinstance(one, torch.device):
                return "device", None
            if (name := named(one)) is not None:
                return "name", name
            if isinstance(one, Tensor):
                if id(one) not in places:
                    places[id(one)] = len(arrays)
                    arrays.append(_array(one.detach().cpu()))
                return "tensor", (places[id(one)], one.dtype)
            return None

    buffer = io.BytesIO()
    Packer(buffer).dump(thing)
    return Parcel(__version__, buffer.getvalue(), arrays)


def opened(parcel: Parcel, device: torch.device = _CPU, found: Callable[[Any], object] = lambda name: name) -> Any:
    """What was packed, at home on `device`; `found` gives what goes by a name.

    Raises:
        UsageError: it was packed by another version of wct.
    """
    if parcel.version != __version__:
        raise UsageError(f"a worker has wct {__version__}, the driver {parcel.version}; install the same on both")

    class Opener(pickle.Unpickler):
        def persistent_load(self, pid: Any) -> object:
            kind, value = pid
            if kind == "device":
                return device
            return found(value) if kind == "name" else _tensor(parcel.arrays[value[0]]).to(value[1])

    return Opener(io.BytesIO(parcel.data)).load()


def _array(tensor: Tensor) -> NDArray[Any]:
    """As numbers that numpy knows, bfloat16 as float32."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _tensor(array: NDArray[Any]) -> Tensor:
    with warnings.catch_warnings():
        # Memory that is shared by the workers of a machine cannot be written to, and is not.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
