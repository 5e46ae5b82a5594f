"""How memory is handed out: settings of torch and of the C library, made once for the process that imports wct."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

__all__ = ["keep", "make_room", "settle"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's mallopt."""

_LARGE = 8 * 2**20
"""Bytes."""


def settle() -> None:
    """Huge pages for large tensors, and those go back to the system when they are freed; what is set already stays.

    Handing out small pages takes a fifth of a stylisation's time; torch reads its variable once, so it works only where
    wct is imported before torch. glibc keeps freed blocks of up to 32 MB for itself, and the pieces that do not fit the
    next tensor pile up: a batch of 200 pictures of 512x512 rose by 36 MB and did not stop; with these settings it is
    level. Up to four such tensors stay with glibc: giving every small one back at once takes 3 % of a stylisation.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    _thresholds(mapped=_LARGE, trimmed=4 * _LARGE)


def keep() -> None:
    """For training, whose steps all need the same tensors: their memory stays with the process from step to step.

    Getting it anew each time takes a third of a step.
    """
    _thresholds(mapped=2**30, trimmed=2**31 - 1)


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
