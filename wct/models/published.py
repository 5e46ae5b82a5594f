"""VGG-19's weights as others publish them: Keras' HDF5 file, PyTorch's state dicts, safetensors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from wct.errors import ModelError
from wct.images.label import label, one_line
from wct.models.vgg import from_torchvision_names, layer_names, take_rgb
from wct.models.weights import check_numbers, load_tensors

if TYPE_CHECKING:
    import h5py

__all__ = ["read_published"]

HDF5 = b"\x89HDF\r\n\x1a\n"
STATE_DICTS = (b"PK\x03\x04", b"\x80\x02\x8a\x0a")
"""How files of torch.save begin: the zip of today, and what was written before PyTorch 1.6."""


def read_published(path: Path, expected: str | None = None) -> dict[str, Tensor]:
    """The tensors of an Encoder from a file in Keras' layout, in torchvision's names (state dict, safetensors) or ours.

    What others' files hold beyond conv5_1 is left out. `expected` is the sha256 of a safetensors file.

    Raises ModelError where the file is missing, damaged, of another sha256, without the layers, or holds inf or NaN.
    """
    start = _start(path)
    if start.startswith(HDF5):
        return take_rgb(check_numbers(_keras(path), path), label(path))
    if start.startswith(STATE_DICTS):
        tensors: Mapping[str, Tensor] = check_numbers(_state_dict(path), path)
    else:
        tensors = load_tensors(path, expected)
    if any(key.startswith("features.") for key in tensors):
        return from_torchvision_names(tensors, label(path))
    return dict(tensors)


def _start(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise ModelError(f"{label(path)}: no such weights file; name one that exists")
        with open(path, "rb") as file:
            return file.read(8)
    except OSError as error:
        raise ModelError(f"{label(path)}: cannot be read ({one_line(error)}); check its permissions") from error


def _keras(path: Path) -> dict[str, Tensor]:
    """Kernels are height, width, in, out there, like ours correlated without flipping, and conv1_1 takes BGR, 0..255,
    minus the means (`keras.applications.vgg19.preprocess_input`)."""
    import h5py  # takes long, and only one file ever needs it

    tensors = {}
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            for name in layer_names():
                layer = root[f"block{name[0]}_conv{name[2]}"]
                tensors[f"conv{name}.weight"] = _dataset(layer, 4).permute(3, 2, 0, 1).contiguous()
                tensors[f"conv{name}.bias"] = _dataset(layer, 1)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{label(path)}: is not Keras' HDF5 file of VGG-19, or damaged ({one_line(error)}); fetch or copy it again"
        ) from error
    return tensors


def _dataset(layer: h5py.Group, dimensions: int) -> Tensor:
    """The one array of so many dimensions: its name has changed with Keras' versions."""
    found: list[h5py.Dataset] = []
    layer.visititems(lambda _, item: found.append(item) if getattr(item, "ndim", None) == dimensions else None)
    (array,) = found
    return torch.from_numpy(np.asarray(array, np.float32))


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a protocol that is rare: what matters is what is in it
            found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds for damaged files
        raise ModelError(
            f"{label(path)}: is not a whole state dict of weights alone ({one_line(error)}); copy it again"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ModelError(f"{label(path)}: holds no state dict (names and tensors); save model.state_dict()")
    return {name: tensor for name, tensor in found.items() if tensor.is_floating_point()}
