"""What surrounds every verb: one line for every error, exit codes, signals, warnings and closed pipes."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import typer
from typer.main import get_command

from wct.cli.app import app
from wct.cli.signals import Signals, Terminated, heeded
from wct.cli.terminal import note
from wct.errors import WctError, out_of_memory
from wct.images.label import PictureWarning, one_line

__all__ = ["main"]

COMPLETE = "_WCT_COMPLETE"
"""What a shell sets when it asks how a line could go on."""

DONE, FAILED, BAD_USE, INTERRUPTED, BROKEN_PIPE, TERMINATED = 0, 1, 2, 130, 141, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 bad use or input, 128 + n on signal n.

    An error is one line on stderr, with a traceback before it only where `--debug` is among the arguments.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Taken out by hand, so that it works after the verb as well.
    end = given.index("--") if "--" in given else len(given)
    debug = "--debug" in given[:end]
    rest = [word for word in given[:end] if word != "--debug"] + given[end:]
    with _warnings(debug), heeded(ours=arguments is None) as signals:
        try:
            return _run(rest or ["--help"], signals)
        except BaseException as error:  # the one place where everything ends up
            status, line = _explain(signals.cause(error))
            if debug:
                traceback.print_exc()
            if isinstance(error, OSError):
                _abandon_stdout()
            if line:
                note(f"error: {line}")
            return status


def _run(arguments: list[str], signals: Signals) -> int:
    command = get_command(app)
    try:
        if COMPLETE in os.environ:
            command.main(arguments, prog_name="wct")
        with command.make_context("wct", arguments) as context:
            command.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    finally:
        signals.ended = True
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
