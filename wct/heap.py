"""How memory is handed out: settings of torch and of the C library, made once for the process that imports wct."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

__all__ = ["keep", "settle"]

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


def _thresholds(mapped: int, trimmed: int) -> None:
    """From how many bytes on a block is the system's own, and how many free ones glibc keeps; unless the user says."""
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        with suppress(OSError, TypeError, AttributeError):  # Windows, or another C library
            library = ctypes.CDLL(None)
            library.mallopt(_MMAP_THRESHOLD, mapped)
            library.mallopt(_TRIM_THRESHOLD, trimmed)
