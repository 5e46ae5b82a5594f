"""What surrounds every verb: one line for every error, exit codes, signals, warnings and closed pipes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Event, Timer
from types import FrameType

import typer
from typer.main import get_command

from wct.cli.app import app
from wct.cli.terminal import note
from wct.errors import WctError, out_of_memory
from wct.images.label import PictureWarning, one_line

__all__ = ["Terminated", "main"]

COMPLETE = "_WCT_COMPLETE"
"""What a shell sets when it asks how a line could go on."""

DONE, FAILED, BAD_USE, INTERRUPTED, BROKEN_PIPE, TERMINATED = 0, 1, 2, 130, 141, 143


class Terminated(KeyboardInterrupt):
    """SIGTERM: whatever cleans up after Ctrl-C cleans up after it too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 bad use or input, 128 + n on signal n.

    An error is one line on stderr, with a traceback before it only where `--debug` is among the arguments.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Taken out by hand, so that it works after the verb as well.
    end = given.index("--") if "--" in given else len(given)
    debug = "--debug" in given[:end]
    rest = [word for word in given[:end] if word != "--debug"] + given[end:]
    with _warnings(debug), _signals(ours=arguments is None) as ended:
        try:
            return _run(rest or ["--help"], ended)
        except BaseException as error:  # the one place where everything ends up
            status, line = _explain(error)
            if debug:
                traceback.print_exc()
            if isinstance(error, OSError):
                _abandon_stdout()
            if line:
                note(f"error: {line}")
            return status


def _run(arguments: list[str], ended: Event) -> int:
    command = get_command(app)
    try:
        if COMPLETE in os.environ:
            command.main(arguments, prog_name="wct")
        with command.make_context("wct", arguments) as context:
            command.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    finally:
        ended.set()
        sys.stdout.flush()
    return DONE


def _explain(error: BaseException) -> tuple[int, str | None]:
    """Exit status and line for an error; no line where silence is right."""
    match error:
        case WctError():
            return BAD_USE, _line(error)
        case typer.TyperException():
            context = getattr(error, "ctx", None)
            path = context.command_path if context else "wct"
            return BAD_USE, f"{' '.join(error.format_message().split()).rstrip('.')}; see {path} --help"
        case SystemExit(code=int(status)):
            return status, None
        case KeyboardInterrupt():
            status, word = (TERMINATED, "terminated") if isinstance(error, Terminated) else (INTERRUPTED, "interrupted")
            return status, f"{word}: {error}" if str(error) else word
        case BrokenPipeError():
            return BROKEN_PIPE, None
        case OSError() if not out_of_memory(error):
            return FAILED, f"{error.filename or 'a file or stream'}: cannot be used ({one_line(error)})"
    if out_of_memory(error):
        return FAILED, "out of memory; take a smaller picture or --size, close other programs, or try --device cpu"
    return FAILED, f"unexpected {type(error).__name__} ({one_line(error)}): please report it, with what --debug shows"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _abandon_stdout() -> None:
    """Send what is left in stdout's buffer nowhere, for Python flushes it at exit and would complain."""
    with suppress(OSError, ValueError):  # where stdout is no real stream
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _signals(*, ours: bool) -> Iterator[Event]:
    """SIGINT and SIGTERM as exceptions, so that temporary files are removed, until the event is set.

    From then on they are too late: a process that is `ours` ends without a word of them. While a library is loaded they
    wait: torch, where its own code is interrupted, aborts the process with a page of stacks.
    """
    ended = Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if ended.is_set():
            return
        if _loading():
            Timer(0.05, os.kill, (os.getpid(), number)).start()
        else:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    old = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        if not ours:
            for number, handler in old.items():
                signal.signal(number, handler)


def _loading() -> bool:
    """Whether a library is being imported."""
    specs = (getattr(module, "__spec__", None) for name, module in list(sys.modules.items()) if name[:3] != "wct")
    return any(getattr(spec, "_initializing", False) for spec in specs)


@contextmanager
def _warnings(debug: bool) -> Iterator[None]:
    """Our warnings as one line each; those of libraries are for developers and wait for `--debug`."""

    def show(message: Warning | str, *_: object, **__: object) -> None:
        note(f"warning: {message}")

    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", PictureWarning)
            warnings.showwarning = show
        yield
