"""SIGINT and SIGTERM, so that a command ends in one line, with nothing left behind, whenever they come."""

from __future__ import annotations

import os
import signal
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from types import FrameType

__all__ = ["Signals", "Terminated", "heeded"]


class Terminated(KeyboardInterrupt):
    """SIGTERM: whatever cleans up after Ctrl-C cleans up after it too."""


class Signals:
    """SIGINT and SIGTERM as exceptions, so that temporary files are removed, until the command has ended.

    They wait while a library is loaded, for torch aborts the process where its own code is interrupted, and while
    Python takes things apart, which it does to the end. Where the exception is lost all the same, as in a callback of
    the interpreter's own, it comes again.
    """

    def __init__(self) -> None:
        self.ended = False
        self._heard: KeyboardInterrupt | None = None
        self._waiting: list[Timer] = []
        self.before = sys.unraisablehook

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.ended:
            return
        if _loading() or _dismantling(frame):
            self._later(number)
        else:
            self._heard = Terminated() if number == signal.SIGTERM else KeyboardInterrupt()
            raise self._heard

    def lost(self, what: sys.UnraisableHookArgs) -> None:
        """`sys.unraisablehook`: a signal whose exception went nowhere comes again."""
        if self._heard is None or what.exc_value is not self._heard:
            self.before(what)
            return
        self._later(signal.SIGTERM if isinstance(self._heard, Terminated) else signal.SIGINT)
        self._heard = None

    def _later(self, number: int) -> None:
        self._waiting.append(Timer(0.05, os.kill, (os.getpid(), number)))
        self._waiting[-1].start()

    def close(self) -> None:
        """Nothing comes later."""
        self.ended = True
        for timer in self._waiting:
            timer.cancel()
            timer.join()

    def cause(self, error: BaseException) -> BaseException:
        """What ended the command: a signal, too, where a library has made another error of it."""
        return error if self._heard is None or isinstance(error, KeyboardInterrupt) else self._heard


def _loading() -> bool:
    """Whether a library is being imported."""
    specs = (getattr(module, "__spec__", None) for name, module in list(sys.modules.items()) if name[:3] != "wct")
    return any(getattr(spec, "_initializing", False) for spec in specs)


def _dismantling(frame: FrameType | None) -> bool:
    """Whether a destructor or the callback of a weak reference is at work."""
    while frame is not None:
        if frame.f_code.co_name == "__del__" or frame.f_code.co_filename == weakref.__file__:
            return True
        frame = frame.f_back
    return False


@contextmanager
def heeded(*, ours: bool) -> Iterator[Signals]:
    """`Signals` at work; for good where the process is `ours`, for it ends with the command."""
    signals = Signals()
    old = {number: signal.signal(number, signals) for number in (signal.SIGINT, signal.SIGTERM)}
    sys.unraisablehook = signals.lost
    try:
        yield signals
    finally:
        signals.close()
        if not ours:
            sys.unraisablehook = signals.before
            for number, handler in old.items():
                signal.signal(number, handler)
