"""The error tree. Every error that a user can cause or meet is a `WctError` whose message is one line:
what, found, needed, what to do.

    WctError
    ├── UsageError        the call itself is off: an unknown level, a weight that does not parse
    ├── InputError        a file or folder that cannot be read as what it should be
    ├── OutputError       a result that cannot be written where it should go
    ├── ModelError        a model folder, its weights or a style made by another model
    ├── NumericsError     a non-finite number, with the level and the stage it appeared in
    ├── TrainingError     a training run that cannot start, go on or be resumed
    └── MissingExtraError an optional dependency that is not installed
"""

from __future__ import annotations

__all__ = [
    "InputError",
    "MissingExtraError",
    "ModelError",
    "NumericsError",
    "OutputError",
    "TrainingError",
    "UsageError",
    "WctError",
    "out_of_memory",
]


class WctError(Exception):
    """Base of all errors that wct raises on purpose; `str(error)` is one line."""


class UsageError(WctError, ValueError):
    """An argument is out of range, of the wrong kind, or names something unknown."""


class InputError(WctError):
    """A file or folder given as input is missing, unreadable, unsupported or unsafe."""


class OutputError(WctError):
    """A result cannot be written: the place is missing, forbidden, full, or holds something to keep."""


class ModelError(WctError):
    """A model folder, its description or its weights are missing, damaged or of another kind."""


class NumericsError(WctError):
    """A tensor became non-finite; the message names the level and the stage."""


class TrainingError(WctError):
    """Training cannot start, go on or be resumed."""


class MissingExtraError(WctError, ImportError):
    """An optional dependency is absent; the message names the extra that brings it."""


_NO_MEMORY = (
    "DefaultCPUAllocator",
    "Cannot allocate memory",
    "could not create a primitive",
    "failed to map segment",
    "can't start new thread",
    "Insufficient memory",
    "CUDA error: out of memory",
    "_STATUS_ALLOC_FAILED",
    "unable to find an engine",
)
"""What torch, convolutions, the loader of libraries, threads, OpenCV and CUDA say, in errors of no own class."""


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory was lacking: Python's, torch's on a GPU, or one of `_NO_MEMORY`."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return not isinstance(error, WctError) and any(part in str(error) for part in _NO_MEMORY)
