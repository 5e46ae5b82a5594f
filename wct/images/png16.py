"""PNG with 16 bits per channel, which Pillow does not write."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIGNATURE", "chunk", "encode", "header"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {3: 2, 4: 6}
_UP = 2


def encode(pixels: NDArray[Any], icc: bytes, comment: str | None, exif: bytes | None = None) -> bytes:
    """A PNG file of `pixels`, uint16 (H, W, 3 or 4), tagged with the profile `icc`, and with an EXIF block."""
    height, width, channels = pixels.shape
    rows = np.ascontiguousarray(pixels, ">u2").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    body = zlib.compress(filtered.data)
    chunks = [
        header((height, width), channels, 16),
        chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(icc)),
    ]
    if exif is not None:
        chunks.append(chunk(b"eXIf", exif.removeprefix(b"Exif\0\0")))
    if comment is not None:
        chunks.append(chunk(b"iTXt", b"Comment\0\0\0\0\0" + comment.encode("utf-8", "backslashreplace")))
    chunks += [chunk(b"IDAT", body[at : at + 2**24]) for at in range(0, len(body), 2**24)]
    return b"".join([SIGNATURE, *chunks, chunk(b"IEND", b"")])


def header(size: tuple[int, int], channels: int, bits: int) -> bytes:
    """The first chunk of a file of RGB or RGBA pixels of `size` (H, W)."""
    height, width = size
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _COLOUR_TYPES[channels], 0, 0, 0))


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a file: length, kind, data and check sum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
