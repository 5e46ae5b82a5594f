"""Damage: bytes with holes and lies in them, trees of tables with strange values."""

from __future__ import annotations

import json
import random
import struct
import zlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

__all__ = ["damaged", "disturbed", "packed_header", "png_mended", "replaced_header", "with_header"]

EDGES = (0, 1, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
STRANGE: tuple[Any, ...] = (
    *(0, -1, 1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e-320, 1e38, 1e308, float("inf"), float("nan"), True, False),
    *("", "x", "relu9_1", "two\nlines", "\x1b[2J", "é" * 5000, "../../etc/passwd", "%s%n", [], {}, [[]], [0] * 5),
    [4096] * 5,
    {"a": {"b": {"c": []}}},
)

Damage = Callable[[bytearray, random.Random], str]


def damaged(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """The data after one or a few mutations, and what they were."""
    found, words = bytearray(data), []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not found:
            break
        damage = rng.choice(KINDS)
        words.append(f"{damage.__name__.strip('_')} {damage(found, rng)}")
    return bytes(found), ", ".join(words)


def _cut(data: bytearray, rng: random.Random) -> str:
    share = rng.randrange(0, 100, 5)
    del data[len(data) * share // 100 :]
    return f"at {share} %"


def _flip(data: bytearray, rng: random.Random) -> str:
    places = [rng.randrange(len(data)) for _ in range(rng.choice((1, 1, 2, 4, 16)))]
    for at in places:
        data[at] ^= 1 << rng.randrange(8)
    return f"bits at {places}"


def _head(data: bytearray, rng: random.Random) -> str:
    """Headers are short and say the most."""
    at = rng.randrange(min(len(data), 64))
    data[at] = rng.randrange(256)
    return f"byte at {at}"


def _number(data: bytearray, rng: random.Random) -> str:
    size = rng.choice((1, 2, 4, 8))
    at, value = rng.randrange(len(data)), rng.choice(EDGES) % 256**size
    data[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))
    return f"{value} in {size} at {at}"


def _noise(data: bytearray, rng: random.Random) -> str:
    at, size = _run(data, rng)
    data[at : at + size] = rng.randbytes(size)
    return f"{size} at {at}"


def _fill(data: bytearray, rng: random.Random) -> str:
    at, size = _run(data, rng)
    data[at : at + size] = bytes([rng.choice((0, 255, 32))]) * size
    return f"{size} at {at}"


def _drop(data: bytearray, rng: random.Random) -> str:
    at, size = _run(data, rng)
    del data[at : at + size]
    return f"{size} at {at}"


def _repeat(data: bytearray, rng: random.Random) -> str:
    at, size = _run(data, rng)
    to = rng.randrange(len(data) + 1)
    data[to:to] = data[at : at + size]
    return f"{size} from {at} at {to}"


def _append(data: bytearray, rng: random.Random) -> str:
    size = rng.choice((1, 100, 5000))
    data += rng.randbytes(size)
    return str(size)


def _run(data: bytearray, rng: random.Random) -> tuple[int, int]:
    at = rng.randrange(len(data))
    return at, min(len(data) - at, rng.choice((1, 2, 4, 12, 64, 1000)))


KINDS: tuple[Damage, ...] = (_cut, _cut, _flip, _flip, _head, _number, _number, _noise, _fill, _drop, _repeat, _append)


def png_mended(data: bytes) -> bytes:
    """The chunks of a damaged PNG with the sums that belong to them, so that what is in them is looked at."""
    found, at = bytearray(data), 8
    while at + 12 <= len(found):
        (size,) = struct.unpack_from(">I", found, at)
        end = at + 8 + size
        if end + 4 > len(found):
            break
        struct.pack_into(">I", found, end, zlib.crc32(found[at + 4 : end]))
        at = end + 4
    return bytes(found)


def disturbed(tree: Any, rng: random.Random) -> tuple[Any, str]:
    """A tree of dicts and lists with one place of it dropped, doubled, moved or replaced, and what was done."""
    tree = deepcopy(tree)
    parent, key, path = tree, None, ""
    while isinstance(parent, dict | list) and parent:
        key = rng.choice(list(parent)) if isinstance(parent, dict) else rng.randrange(len(parent))
        path += f".{key}"
        if not isinstance(parent[key], dict | list) or not parent[key] or rng.random() < 0.2:
            break
        parent = parent[key]
    if key is None:
        return rng.choice(STRANGE), "the whole"
    how = rng.choice(("drop", "replace", "replace", "replace", "double"))
    if how == "drop":
        del parent[key]
    elif how == "double":
        parent[f"{key}2" if isinstance(parent, dict) else slice(key, key)] = (
            parent[key] if isinstance(parent, dict) else [parent[key]]
        )
    else:
        parent[key] = rng.choice(STRANGE)
        how = f"{str(parent[key])[:20]!r} in place of"
    return tree, f"{how} {path}"


def with_header(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of a safetensors file, and what follows it."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def packed_header(header: Any) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text


def replaced_header(data: bytes, rng: random.Random) -> tuple[bytes, str]:
    """A safetensors file with a disturbed header."""
    header, body = with_header(data)
    header, words = disturbed(header, rng)
    return packed_header(header) + body, f"header: {words}"
