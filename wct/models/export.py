"""Writing a model folder: float16 weights and a `model.toml` that knows their sha256."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
import torch
from torch import nn

from wct.errors import ModelError, OutputError
from wct.files import remove_stale, write_file
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.model import DECODER, ENCODER
from wct.models.weights import save_tensors, sha256

__all__ = ["export", "write_card"]


def export(folder: Path, table: Mapping[str, Any], encoder: Encoder | None, decoder: Decoder | None = None) -> None:
    """Write the model folder; `table` is its card without the sha256, with `[encoder]` and `[stages]`.

    An encoder that is somebody else's is left out: the folder names it, and users bring it.

    Raises ModelError where a weight has no finite float16, OutputError where the folder cannot be written.
    """
    parts = {ENCODER: encoder, DECODER: decoder}
    weights = {part: _halves(module, part) for part, module in parts.items() if module is not None}
    _make(folder)
    remove_stale(folder)
    hashes = {}
    for part, tensors in weights.items():
        save_tensors(tensors, folder / part)
        hashes[part.removesuffix(".safetensors")] = sha256(folder / part)
    write_card(folder, {**table, "sha256": hashes})


def write_card(folder: Path, table: Mapping[str, Any]) -> None:
    """Write `table` as the folder's model.toml."""
    write_file(tomli_w.dumps(table).encode(), folder / "model.toml", overwrite=True)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error


def _halves(module: nn.Module, part: str) -> dict[str, torch.Tensor]:
    halves = {name: tensor.half() for name, tensor in module.state_dict().items()}
    for name, tensor in halves.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{part}: {name} does not fit float16; train further, or anew from other pictures")
    return halves
