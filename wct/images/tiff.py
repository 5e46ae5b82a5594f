"""TIFF files without chance in them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["settled"]

_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
"""Of one value, by type (TIFF 6.0, section 2)."""

_OFFSETS, _COUNTS = 273, 279


def settled(tiff: bytes) -> bytes:
    """The same file with zeros between its parts.

    Parts begin at even places, and libtiff leaves in the bytes before them what memory held: the same picture gave
    another file every time. The file is of one directory, as Pillow writes it.
    """
    whole, filled = bytearray(len(tiff)), memoryview(tiff)
    for start, size in _parts(tiff):
        whole[start : start + size] = filled[start : start + size]
    return bytes(whole)


def _parts(tiff: bytes) -> Iterator[tuple[int, int]]:
    """(place, bytes) of the header, the directory, what it points to, and the strips of pixels."""
    order = "<" if tiff[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    (entries,) = struct.unpack_from(f"{order}H", tiff, at)
    yield from ((0, 8), (at, 2 + 12 * entries + 4))
    strips: dict[int, tuple[int, ...]] = {}
    for entry in range(at + 2, at + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", tiff, entry)
        place, size = entry + 8, _BYTES[kind] * count
        if size > 4:
            (place,) = struct.unpack_from(f"{order}I", tiff, place)
            yield place, size
        if tag in (_OFFSETS, _COUNTS):
            strips[tag] = struct.unpack_from(f"{order}{count}{'H' if kind == 3 else 'I'}", tiff, place)
    yield from zip(strips[_OFFSETS], strips[_COUNTS], strict=True)
