"""Style files: Gaussians, weights and thumbnails in one safetensors file.

The header's metadata has one key, `wct`, with the JSON of the table that `_packed` makes; its sha256 covers the rest of
the file. For part i and level k there are the tensors

    i.relu{k}_1.mean    (C,) float32
    i.relu{k}_1.cov     (C (C + 1) / 2,) float32, the lower triangle row by row
    i.thumbnail         (3 or 4, h, w) uint8, RGB or RGBA in sRGB, where the part has one
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from wct.errors import InputError
from wct.files import check_file, write_file
from wct.gaussian import ROUNDING, Gaussian
from wct.images import Picture, read
from wct.images.label import label, one_line
from wct.models.spec import LEVELS
from wct.style import Part, Style

__all__ = ["is_style", "load_style", "save_style"]

StrPath = str | os.PathLike[str]
T = TypeVar("T")

_KEY, _FORMAT, _VERSION = "wct", "wct style", "1"

_MOST_HEADER = 100_000_000
"""Bytes that safetensors allows a header."""


def save_style(style: Style, path: StrPath, *, overwrite: bool = False) -> None:
    """Write a style file, always the same bytes for the same style; "-" sends it to standard output.

    Patches for transform="swap" are left out: of a style picture only its statistics are kept.

    Raises:
        OutputError: the file cannot be written, or exists and `overwrite` is not set.
    """
    check_file(path, overwrite=overwrite)
    write_file(_packed(style), path, overwrite=overwrite)


def load_style(path: StrPath) -> Style:
    """The style in a file, equal in every number to the one that was saved.

    Raises:
        InputError: the file is missing, damaged, no style file or one of another version.
    """
    name = label(path)
    if not os.path.isfile(path):
        raise InputError(f"{name}: no such style file; check the name and the folder")
    try:
        table, tensors = _read(path)
        return _style(table, tensors)
    except OSError as error:
        raise InputError(f"{name}: cannot be opened; check its permissions") from error
    except (SafetensorError, ValueError, RecursionError) as error:
        raise InputError(f"{name}: is no style file, or damaged ({one_line(error)}); make it with wct style") from error


def is_style(path: StrPath) -> bool:
    """Whether a file begins as style files do, with a safetensors header; False where there is no file to look into."""
    if os.fspath(path) == "-" or not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(9)
    except OSError:
        return False
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") <= _MOST_HEADER


def _packed(style: Style) -> bytes:
    table: dict[str, Any] = {
        "format": _FORMAT,
        "version": _VERSION,
        "model": label(style.model),
        "fingerprint": style.fingerprint,
        "colors": style.colors,
        "parts": [
            {
                "name": label(part.name),
                "n": {_layer(level): float(part.gaussians[level].n) for level in LEVELS},
                "weights": {_layer(level): float(part.weights[level]) for level in LEVELS},
            }
            for part in style.parts
        ],
    }
    tensors = {}
    for i, part in enumerate(style.parts):
        for level in LEVELS:
            gaussian = part.gaussians[level].to("cpu")
            rows, columns = torch.tril_indices(gaussian.channels, gaussian.channels)
            tensors[f"{i}.{_layer(level)}.mean"] = gaussian.mean.float()
            tensors[f"{i}.{_layer(level)}.cov"] = gaussian.cov[rows, columns].float()
        if part.thumbnail is not None:
            pixels = torch.from_numpy(np.array(part.thumbnail.to_pil()))
            tensors[f"{i}.thumbnail"] = pixels.permute(2, 0, 1).contiguous()
    table["sha256"] = _digest(table, tensors)
    # One key, because safetensors writes several in any order.
    return save(tensors, {_KEY: json.dumps(table)})


def _read(path: StrPath) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The table and the tensors of a style file of this version, undamaged; ValueError where it is not that."""
    data = Path(path).read_bytes()
    try:
        tensors = load(data)
    except KeyError as error:
        raise ValueError(f"holds numbers of an unknown kind, {error}") from error
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    # All numbers are floats, so that none can be too large.
    table = json.loads(header.get("__metadata__", {}).get(_KEY, "null"), parse_int=float)
    if not isinstance(table, dict) or table.get("format") != _FORMAT:
        raise ValueError("a safetensors file of something else")
    if table.get("version") != _VERSION:
        raise ValueError(f"version {table.get('version')!r}, needs {_VERSION!r}; another wct made it")
    for name, tensor in tensors.items():
        needed = torch.uint8 if name.endswith(".thumbnail") else torch.float32
        if tensor.dtype != needed:
            raise ValueError(f"{name} holds {tensor.dtype}, needs {needed}")
    if table.pop("sha256", None) != _digest(table, tensors):
        raise ValueError("its sha256 is not what it should be")
    return table, tensors


def _style(table: dict[str, Any], tensors: Mapping[str, Tensor]) -> Style:
    parts = tuple(_part(i, found, tensors) for i, found in enumerate(_field(table, "parts", list)))
    if not parts:
        raise ValueError("no parts, needs at least one")
    for level in LEVELS:
        if not math.isclose(math.fsum(part.weights[level] for part in parts), 1, abs_tol=1e-6):
            raise ValueError(f"weights at {_layer(level)} do not sum to 1")
        if len({part.gaussians[level].channels for part in parts}) > 1:
            raise ValueError(f"channels at {_layer(level)} differ between parts")
    colors = _text(table, "colors")
    if colors not in ("style", "content"):
        raise ValueError(f"colors {colors!r}, needs 'style' or 'content'")
    return Style(parts, _text(table, "fingerprint"), colors, _text(table, "model"))


def _part(i: int, table: Any, tensors: Mapping[str, Tensor]) -> Part:
    name, counts, shares = _text(table, "name"), _field(table, "n", dict), _field(table, "weights", dict)
    gaussians, weights = {}, {}
    for level in LEVELS:
        layer = _layer(level)
        gaussians[level] = _gaussian(_field(counts, layer, float), f"{i}.{layer}", tensors)
        weights[level] = _field(shares, layer, float)
        if not weights[level] >= 0:
            raise ValueError(f"weight {weights[level]} at {layer}, needs 0 or more")
    pixels = tensors.get(f"{i}.thumbnail")
    return Part(name, gaussians, weights, None if pixels is None else _thumbnail(pixels, name))


def _gaussian(n: float, where: str, tensors: Mapping[str, Tensor]) -> Gaussian:
    mean, triangle = (_field(tensors, f"{where}.{what}", Tensor) for what in ("mean", "cov"))
    channels = len(mean.flatten())
    if channels == 0 or mean.shape != (channels,) or triangle.shape != (channels * (channels + 1) // 2,):
        raise ValueError(f"{where} has a mean of {tuple(mean.shape)} and a triangle of {tuple(triangle.shape)}")
    rows, columns = torch.tril_indices(channels, channels)
    cov = torch.zeros(channels, channels, dtype=torch.float64)
    cov[rows, columns] = cov[columns, rows] = triangle.double()
    gaussian = Gaussian(n, mean.double(), cov)
    # The variance of a flat picture may be below zero by rounding.
    least = -(ROUNDING * gaussian.mean).square().sum()
    if not bool(torch.isfinite(least) and torch.isfinite(cov).all() and (cov.diagonal() >= least).all()):
        raise ValueError(f"{where} holds inf, NaN or a negative variance")
    return gaussian


def _thumbnail(pixels: Tensor, name: str) -> Picture:
    if pixels.ndim != 3 or len(pixels) not in (3, 4) or not pixels.numel():
        raise ValueError(f"a thumbnail of {tuple(pixels.shape)}, needs (3 or 4, h, w)")
    return read(pixels.permute(1, 2, 0).numpy(), max_pixels=None, name=name)


def _field(table: Any, key: str, kind: type[T]) -> T:
    value = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(value, kind):
        raise ValueError(f"{key} is missing or of another kind")
    return value


def _text(table: Any, key: str) -> str:
    text = _field(table, key, str)
    if not text.isprintable():
        raise ValueError(f"{key} has control characters")
    return text


def _layer(level: int) -> str:
    return f"relu{level}_1"


def _digest(table: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()
