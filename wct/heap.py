"""How memory is handed out: settings of torch and of the C library, made once for the process that imports wct."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

__all__ = ["SERIES", "TRAINING", "keep", "make_room", "settle"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's mallopt."""

_LARGE = 8 * 2**20
"""Bytes."""

SERIES, TRAINING = 8 * _LARGE, 2**30
"""Bytes of the largest blocks that batches and films keep, and trainings."""


def settle() -> None:
    """Huge pages for large tensors, and those go back to the system when they are freed; what is set already stays.

    Handing out small pages takes a fifth of a stylisation's time; torch reads its variable once, so it works only where
    wct is imported before torch. glibc keeps freed blocks of up to 32 MB for itself, and the pieces that do not fit the
    next tensor pile up: a batch of 200 pictures of 512x512 rose by 36 MB and did not stop; with these settings it is
    level. Up to four such tensors stay with glibc: giving every small one back at once takes 3 % of a stylisation.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    _thresholds(mapped=_LARGE, trimmed=4 * _LARGE)


def keep(largest: int) -> None:
    """For what needs much the same tensors again and again: freed blocks of up to `largest` bytes stay with the
    process, twice as many bytes in all, beside the holes between blocks that are in use.

    Getting memory anew each time takes a third of a step of training. On a virtual machine with two cores a batch of 44
    photos (short side 512) takes 31 and 36 s instead of 36 and 45 and up to 1,400 MB instead of 1,030, a film of
    1296x720 37 s instead of 44 and no more memory, one of 432x240 13.8 s instead of 14.6 and 1,190 MB instead of 1,030
    (medians of 3). Blocks of 40 MB bring a third of that or more. A single picture is not worth it: with blocks of up
    to a quarter of relu1_1 1024x1024 to 2048x2048 take 1 to 4 % less time.
    """
    _thresholds(mapped=largest, trimmed=min(2 * largest, 2**31 - 1))


def make_room(size: int) -> None:
    """Before a tensor of `size` bytes is made: what glibc keeps of freed blocks goes back to the system, where that is
    worth the time.

    Between the features of the deep levels 40 MB gather; they then come on top of the largest tensors of all. With
    vgg19 at 512x512 the peak is 44 MB of 387 lower for no time that could be seen; with compact it would take 3 %.
    """
    if size >= 8 * _LARGE:
        _glibc("malloc_trim", (0,))


def _thresholds(mapped: int, trimmed: int) -> None:
    """From how many bytes on a block is the system's own, and how many free ones glibc keeps; unless the user says."""
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        _glibc("mallopt", (_MMAP_THRESHOLD, mapped), (_TRIM_THRESHOLD, trimmed))


def _glibc(name: str, *calls: tuple[int, ...]) -> None:
    """Call one of its functions, some times; nothing on Windows or with another C library."""
    with suppress(OSError, TypeError, AttributeError):
        function = getattr(ctypes.CDLL(None), name)
        for arguments in calls:
            function(*arguments)
