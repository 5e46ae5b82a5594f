"""Weights on disk: safetensors only, named and shaped exactly as the module, finite, with a known sha256."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file, save
from torch import Tensor, nn

from wct.errors import ModelError
from wct.files import write_file
from wct.images.label import label, one_line

__all__ = ["check_numbers", "fill", "load_tensors", "save_tensors", "sha256"]


def sha256(path: Path) -> str:
    """Hexadecimal sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_tensors(path: Path, expected: str | None = None, *, halves: bool = False) -> dict[str, Tensor]:
    """All tensors of a safetensors file as float32, with `halves` those of float16 as they are; its sha256 is compared
    with `expected` where that is given.

    Raises ModelError where the file is missing, damaged, of another sha256 or holds inf or NaN.
    """
    if not path.is_file():
        raise ModelError(f"{label(path)}: no such weights file; name one that exists")
    if expected is not None and (found := sha256(path)) != expected:
        wanted = label(expected[:16])
        raise ModelError(f"{label(path)}: found sha256 {found[:16]}…, needs {wanted}…; reinstall or restore the file")
    try:
        tensors = load_file(path) if _is_utf8(path) else load(path.read_bytes())
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        cause = one_line(error)
        raise ModelError(f"{label(path)}: is not a whole safetensors file ({cause}); restore the file") from error
    return check_numbers(tensors, path, halves)


def _is_utf8(path: Path) -> bool:
    """Whether safetensors can open the file by its name."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def check_numbers(tensors: Mapping[str, Tensor], path: Path, halves: bool = False) -> dict[str, Tensor]:
    """The tensors of the file `path`, dtypes as in `load_tensors`; ModelError where one holds inf, NaN or no floats."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise ModelError(
                f"{label(path)}: {label(name)} holds {tensor.dtype}, needs floats; is it of a model at all?"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{label(path)}: {label(name)} holds inf or NaN; restore the file")
    # Copied, or a single tensor would keep the whole file in memory.
    small = torch.float16 if halves else torch.float32
    return {
        name: tensor.to(small if tensor.dtype == torch.float16 else torch.float32, copy=True)
        for name, tensor in tensors.items()
    }


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write a safetensors file whole or not at all (temporary file, then rename); OutputError where that fails."""
    data = save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, dict(metadata or {}))
    write_file(data, path, overwrite=True)


def fill(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Load `tensors` into `module`, which may be on the meta device before; ModelError names the first tensor that is
    missing, left over or misshapen.
    """
    own = module.state_dict()
    for name in own:
        if name not in tensors:
            raise ModelError(f"{where}: tensor {name!r} is missing; these are weights of another model")
    for name, tensor in tensors.items():
        if name not in own:
            raise ModelError(f"{where}: tensor {name!r} is not part of the model; these are weights of another model")
        if own[name].shape != tensor.shape:
            found, needed = tuple(tensor.shape), tuple(own[name].shape)
            raise ModelError(f"{where}: {name} has shape {found}, needs {needed}; these are weights of another model")
    # Instead of being copied into memory that `to_empty` makes, which loads 480 modules of torch: 37 MB and 0.4 s.
    module.load_state_dict(dict(tensors), assign=any(tensor.is_meta for tensor in own.values()))
