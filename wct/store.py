"""Fields in files, for what does not fit in memory."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wct.errors import OutputError
from wct.images.label import label, one_line
from wct.windows import Size, Window

if TYPE_CHECKING:
    from wct.fields import Field

__all__ = ["Filed", "check_space", "from_numbers", "scratch", "to_numbers"]


_FLOAT, _CPU = np.dtype(np.float32), torch.device("cpu")


def scratch() -> IO[bytes]:
    """A file without a name in the folder for temporary files (TMPDIR): when it is closed it is gone, whatever happens.

    Raises OutputError where there can be none.
    """
    try:
        return tempfile.TemporaryFile(buffering=0)
    except OSError as error:
        raise OutputError(f"no temporary file: {one_line(error)}; set TMPDIR to a folder with room") from error


def check_space(needed: int) -> None:
    """Raise OutputError where the folder for temporary files has less room than `needed` bytes."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OutputError(
            f"{label(folder)}: {free / 1e9:.1f} GB free; temporary files need {needed / 1e9:.1f} GB; "
            "set TMPDIR to a folder with more room"
        )


@dataclass(frozen=True, eq=False)
class Filed:
    """A field in a file: rows of pixels, all channels of a pixel together, after `start` bytes of something else.

    Whole numbers stand for 0..1. Read and written by plain calls: the pages of a mapped file would count as memory.

    Attributes:
        level, size: as for every field.
        channels: C.
        file: open for reading and writing.
        dtype: of the numbers in it.
        device: where parts of it are read to.
        start: where in the file it begins.
    """

    level: int
    size: Size
    channels: int
    file: IO[bytes]
    dtype: np.dtype[Any] = _FLOAT
    device: torch.device = _CPU
    start: int = 0

    def __post_init__(self) -> None:
        weakref.finalize(self, self.file.close)  # the room is free again as soon as nobody needs the field

    @property
    def finest(self) -> int:
        return self.level

    @property
    def bytes(self) -> int:
        """Its length."""
        return self.size[0] * self.size[1] * self.channels * self.dtype.itemsize

    def sources(self, _window: Window) -> Sequence[tuple[Field, Window]]:
        return ()

    def read(self, window: Window) -> Tensor:
        """The window's part (1, C, height, width), float32, channels last."""
        return from_numbers(self.numbers(window)).to(self.device)[None]

    def numbers(self, window: Window) -> NDArray[Any]:
        """The window's part (height, width, C) as it is in the file."""
        height, width = window.size
        part = np.empty((height, width, self.channels), self.dtype)
        for row, place in zip(part, self._places(window), strict=True):
            self.file.seek(place)
            if self.file.readinto(row.data) != row.nbytes:  # type: ignore[attr-defined]
                raise OutputError("a temporary file was cut short; run it again")
        return part

    def write(self, window: Window, x: Tensor) -> None:
        """Put the window's part, (1, C, height, width), in place; OutputError where the disk is full."""
        part = to_numbers(x[0], self.dtype)
        try:
            for row, place in zip(part, self._places(window), strict=True):
                self.file.seek(place)
                left = row.data.cast("B")
                while left:
                    left = left[self.file.write(left) :]
        except OSError as error:
            folder = label(tempfile.gettempdir())
            raise OutputError(
                f"{folder}: temporary file: {one_line(error)}; set TMPDIR to a folder with room"
            ) from error

    def _places(self, window: Window) -> range:
        pixel = self.channels * self.dtype.itemsize
        row = self.size[1] * pixel
        first = self.start + window.left * pixel
        return range(first + window.top * row, first + window.bottom * row, row)


def from_numbers(part: NDArray[Any]) -> Tensor:
    """(H, W, C) of any type, whole numbers standing for 0..1, to (C, H, W) float32, channels last."""
    if part.dtype.kind == "u":
        part = part.astype(np.float32) / np.float32(np.iinfo(part.dtype).max)
    return torch.from_numpy(part).permute(2, 0, 1).float()


def to_numbers(x: Tensor, dtype: np.dtype[Any]) -> NDArray[Any]:
    """(C, H, W) on any device to (H, W, C) of `dtype`, contiguous."""
    x = x.permute(1, 2, 0).float().cpu()
    if dtype.kind == "u":
        top = np.iinfo(dtype).max
        x = (x.double() if top > 255 else x).mul(top).round().clamp(0, top)
    return np.ascontiguousarray(x.numpy().astype(dtype))
