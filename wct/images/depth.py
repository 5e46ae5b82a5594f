"""Sixteen bits per colour channel, which Pillow has no mode for: it unpacks the high byte of each and drops the low.

The file is decoded a second time with the unpacker of the other byte order, which takes the low bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile

__all__ = ["is_deep", "load_deep"]

_OTHER_NATIVE = "L" if sys.byteorder == "big" else "B"
_OTHER = {"B": "L", "L": "B", "N": _OTHER_NATIVE}
_SWAPPED = {f"{mode};16{order}": f"{mode};16{_OTHER[order]}" for mode in ("RGB", "RGBX", "RGBA") for order in _OTHER}
# Grey and alpha of 16 bits are as wide as one RGBA pixel, and Pillow gives them that mode.
_GREY_ALPHA = "LA;16B"
_PARTNERS = _SWAPPED | {_GREY_ALPHA: "RGBA"}


def is_deep(image: ImageFile) -> bool:
    """Whether an image that is not loaded yet has 16 bits per channel that `load_deep` can keep."""
    return bool(image.tile) and all(_rawmode(tile) in _PARTNERS for tile in image.tile)


def load_deep(image: ImageFile, reopen: Callable[[], ImageFile]) -> NDArray[Any]:
    """Load `image`, for which `is_deep`, as uint16 (H, W, C): C is 2 (grey, alpha), 3 or 4.

    reopen: gives the same image again, not loaded. Raises what Pillow raises on damaged data.
    """
    again, kind = reopen(), _rawmode(image.tile[0])
    again.tile = [tile._replace(args=_with_rawmode(tile.args, _PARTNERS[_rawmode(tile)])) for tile in again.tile]
    image.load()
    again.load()
    first, second = np.asarray(image), np.asarray(again)
    if kind == _GREY_ALPHA:
        first, second = second[..., ::2], second[..., 1::2]
    deep: NDArray[Any] = first.astype(np.uint16) << 8 | second
    return deep


def _rawmode(tile: Any) -> str:
    args = tile.args
    return args if isinstance(args, str) else str(args[0])


def _with_rawmode(args: Any, rawmode: str) -> Any:
    return rawmode if isinstance(args, str) else (rawmode, *args[1:])
