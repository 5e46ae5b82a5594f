"""Cases: the n-th damaged file of a seed, and the odd places in which files are found."""

from __future__ import annotations

import json
import os
import random
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
import torch
from safetensors.torch import load, save
from torch import Tensor

from fuzz.damage import damaged, disturbed, png_mended, replaced_header
from wct.style_file import _digest

__all__ = ["Case", "Change", "forged", "nth"]

SHARES = {
    "picture": 50,
    "style": 12,
    "weights": 8,
    "film": 8,
    "card": 6,
    "place": 6,
    "mask": 4,
    "recipe": 3,
    "words": 3,
}
ODD_NAMES = (
    *("with space", "two\nlines", "-dash", "--help", "日本 é", "a:2", "*?[x]", "'quote\"", "%d", "tab\tbell\a"),
    *(os.fsdecode(b"\xff\xfe"), "n" * 180, "[b]bold", "$HOME;ls", "C:\\wave"),
)
SPECIALS = ("folder", "pipe", "socket", "dangling", "loop", "device", "missing", "nul")
NUMBERS = (0.0, -1.0, 1e-45, 1e20, 3e38, -3e38, float("inf"), float("nan"))


@dataclass(frozen=True)
class Case:
    """A file to be read as something.

    Attributes:
        number: of the case, under its seed.
        kind: what it is read as: a key of SHARES, "place" excepted.
        name: of the file.
        data: what is in it; None where it is no file but one of SPECIALS.
        words: how it came about.
    """

    number: int
    kind: str
    name: str
    data: bytes | None
    words: str

    def __str__(self) -> str:
        return f"{self.number}: {self.kind} {self.name!r}, {self.words or 'whole'}"

    def placed(self, folder: Path) -> Path:
        """The file in the folder; through a link where its words say so."""
        path = folder / self.name
        if self.data is None:
            return special(folder, self.words)
        if self.words.startswith("link"):
            (folder / "behind").write_bytes(self.data)
            path.symlink_to("behind")
        else:
            path.write_bytes(self.data)
        return path


def nth(whole: Mapping[str, Mapping[str, bytes]], seed: int, number: int) -> Case:
    """Case `number` of a seed; `whole` as in `Ground`."""
    rng = random.Random(f"{seed}/{number}")
    kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
    if kind == "place":
        kind = rng.choice(("picture", "picture", "mask", "style", "weights", "film", "card"))
        if rng.random() < 0.5:
            return Case(number, kind, "", None, rng.choice(SPECIALS))
        name = rng.choice(list(whole[kind]))
        words = rng.choice(("", "link"))
        if kind == "card":
            return Case(number, kind, "model.toml", whole[kind][name], words)
        return Case(number, kind, rng.choice(ODD_NAMES) + Path(name).suffix, whole[kind][name], words)
    name = rng.choice(list(whole[kind]))
    data, words = DAMAGES.get(kind, damaged)(whole[kind][name], rng)
    if kind in ("picture", "mask") and name.endswith(".png") and rng.random() < 0.5:
        data, words = png_mended(data), words + ", sums mended"
    return Case(number, kind, name, data, f"{name}: {words}")


def special(folder: Path, words: str) -> Path:
    """What is no regular file."""
    path = folder / words
    match words:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(os.path.relpath(path))
        case "dangling" | "loop":
            path.symlink_to("loop" if words == "loop" else "nowhere")
        case "device":
            return Path(os.devnull)
        case "nul":
            return folder / "a\0b"
    return path


Change = Callable[[dict[str, Any], dict[str, Tensor]], object]


def forged(data: bytes, change: Change) -> bytes:
    """A style file with a changed table and tensors, and the sha256 that belongs to them."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    table, tensors = json.loads(header["__metadata__"]["wct"]), load(data)
    del table["sha256"]
    change(table, tensors)
    # As the reader sees numbers that JSON has no other words for.
    seen = json.loads(json.dumps(table), parse_int=float)
    return save(tensors, {"wct": json.dumps(table | {"sha256": _digest(seen, tensors)})})


def _style(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A damaged file, or one that is whole and lies."""
    if rng.random() < 0.3:
        return damaged(data, rng) if rng.random() < 0.5 else replaced_header(data, rng)
    words = []

    def change(table: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        if rng.random() < 0.5:
            found, how = disturbed(table, rng)
            if isinstance(found, dict):
                table.clear()
                table.update({k: v for k, v in found.items() if k != "sha256"})
            words.append(how)
        else:
            words.append(_disturb_tensor(tensors, rng))

    return forged(data, change), f"forged: {words[0]}"


def _weights(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    if data[8:9] != b"{" or rng.random() < 0.3:
        return damaged(data, rng)
    if rng.random() < 0.5:
        return replaced_header(data, rng)
    tensors = load(data)
    words = _disturb_tensor(tensors, rng)
    return save(tensors), words


def _disturb_tensor(tensors: dict[str, Tensor], rng: random.Random) -> str:
    name = rng.choice(sorted(tensors))
    tensor, how = tensors[name].clone(), rng.choice(("number", "number", "scale", "shape", "type", "drop"))
    match how:
        case "number":
            if tensor.is_floating_point() and tensor.numel():
                tensor.view(-1)[rng.randrange(tensor.numel())] = rng.choice(NUMBERS)
        case "scale":
            if tensor.is_floating_point():
                tensor = (tensor.double() * rng.choice((-1, 0, 1e-30, 1e10, 1e30))).to(tensor.dtype)
        case "shape":
            tensor = tensor.reshape(-1)[: rng.choice((0, 1, 5))].clone()
        case "type":
            tensor = tensor.to(rng.choice((torch.float64, torch.float16, torch.int32, torch.bool, torch.complex64)))
        case "drop":
            del tensors[name]
            return f"drop {name}"
    tensors[name] = tensor
    return f"{how} of {name}"


def _toml(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    if rng.random() < 0.3:
        return damaged(data, rng)
    table = tomllib.loads(data.decode())
    if rng.random() < 0.7:
        table.pop("sha256", None)
    found, words = disturbed(table, rng)
    return tomli_w.dumps(found).encode("utf-8", "replace") if isinstance(found, dict) else b"", f"table: {words}"


DAMAGES: dict[str, Callable[[bytes, random.Random], tuple[bytes, str]]] = {
    "style": _style,
    "weights": _weights,
    "card": _toml,
    "recipe": _toml,
}
