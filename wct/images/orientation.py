"""The EXIF orientation: read from the raw block, and undone on arrays.

Only this one tag is wanted, from blocks that are often damaged, so it is read directly: a block that
makes no sense means "upright", without a warning and without an error.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["orientation", "upright"]

_TAG, _SHORT, _LONG = 0x0112, 3, 4


def orientation(exif: object) -> int:
    """The orientation 1..8 in an EXIF block (bytes, with or without its `Exif` prefix); 1 where there is none."""
    if not isinstance(exif, bytes):
        return 1
    data = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", data, entry)
            if tag == _TAG and kind in (_SHORT, _LONG):
                (value,) = struct.unpack_from(order + ("H" if kind == _SHORT else "I"), data, entry + 8)
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def upright(array: NDArray[Any], value: int) -> NDArray[Any]:
    """A view of `array` (H, W, ...), stored with EXIF orientation `value` (1..8), as it should be looked at."""
    if value >= 5:
        array = array.swapaxes(0, 1)
    if value in (2, 3, 6, 7):
        array = np.flip(array, 1)
    if value in (3, 4, 7, 8):
        array = np.flip(array, 0)
    return array
