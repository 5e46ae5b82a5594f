"""Files as results: what can be known beforehand is checked beforehand, and a file appears whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wct.errors import OutputError
from wct.images.label import label, one_line

__all__ = [
    "LOCK",
    "appearing",
    "check_file",
    "check_folder",
    "claim",
    "let_go_on_windows",
    "remove_stale",
    "write_file",
]

LOCK = "lock"
"""The file that is held in a folder which is one run's alone."""

StrPath = str | os.PathLike[str]

_PART = re.compile(r"\.[0-9a-f]{16}\.part")


def check_file(path: StrPath, *, overwrite: bool = False, inputs: Iterable[StrPath] = ()) -> None:
    """Refuse a destination that cannot work, before any time goes into computing what to write there.

    Raises OutputError where the folder is missing, forbidden or full, where `path` is a folder or a special file,
    where it exists (unless `overwrite`), where it is the same file as one of `inputs` (always), and where "-" is a
    terminal.
    """
    name = label(path)
    if os.fspath(path) == "-":
        if sys.stdout.isatty():
            raise OutputError("-: standard output is a terminal; redirect it to a file or into a pipe")
        return
    try:
        target = _target(path)
        if target.is_dir():
            raise OutputError(f"{name}: is a folder; name a file inside it")
        check_folder(target.parent, name)
        _check_target(target, name, overwrite, inputs)
    except (OSError, ValueError) as error:
        raise OutputError(f"{name}: cannot be written ({one_line(error)}); choose another name") from error


def check_folder(folder: Path, name: str) -> None:
    """Refuse a folder that nothing can be written to; `name` is what shall be written. Raises OutputError."""
    where = label(folder)
    if not folder.exists():
        raise OutputError(f"{name}: the folder {where} does not exist; create it first")
    if not folder.is_dir():
        raise OutputError(f"{name}: {where} is not a folder; choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{name}: the folder {where} cannot be written to; choose another or change its permissions")
    if shutil.disk_usage(folder).free == 0:
        raise OutputError(f"{name}: the disk that holds {where} is full; make room or choose another folder")


def write_file(data: bytes, path: StrPath, *, overwrite: bool = False) -> None:
    """Write `data` to `path`, or to standard output where that is "-"; files as `appearing` does.

    BrokenPipeError passes through: a reader of standard output that left is no error of the data.
    """
    if os.fspath(path) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    with appearing(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


@contextmanager
def appearing(path: StrPath, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary file, empty, to be written; it becomes `path` at the end.

    The file is atomic: written beside its destination under another name, then renamed. Whatever goes wrong, an
    old file stays as it was and no temporary file remains.

    Raises OutputError where it cannot be written, or appeared since `check_file` (unless `overwrite`).
    """
    name, target = label(path), _target(path)
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with _begun(temporary) as held:
            yield temporary
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
            let_go_on_windows(held)
            _publish(temporary, target, overwrite)
    except FileExistsError as error:
        raise OutputError(f"{name}: appeared meanwhile and was kept; choose another name") from error
    except OSError as error:
        raise OutputError(f"{name}: cannot be written ({one_line(error)}); make room or choose a folder") from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_stale(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder.

    What a process still holds is not touched, whatever the clock says: times are wrong where it was moved.
    """
    for path in folder.glob(".*.part"):
        if _PART.fullmatch(path.name):
            with suppress(OSError), path.open("rb") as stream:
                _hold(stream)
                let_go_on_windows(stream)
                path.unlink()


def claim(folder: Path) -> BinaryIO:
    """Make a folder this run's alone, until what is returned is closed.

    Raises BlockingIOError where it is another run's, another OSError where the folder cannot be written to.
    """
    stream = (folder / LOCK).open("ab")
    try:
        _hold(stream)
    except BlockingIOError:
        stream.close()
        raise
    except OSError:
        pass  # a file system without locks
    return stream


def let_go_on_windows(stream: BinaryIO) -> None:
    """Where an open file can be neither renamed nor removed."""
    if sys.platform == "win32":
        stream.close()


def _hold(stream: BinaryIO) -> None:
    """Lock a file until it is closed. On Windows nothing is done: files that are open cannot be removed.

    Raises BlockingIOError where another process holds it, another OSError where the file system has no locks.
    """
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _begun(temporary: Path) -> BinaryIO:
    """The new file, held by this process until it is closed."""
    while True:
        # With "x", so that no other writer can hold the same name, and with the user's usual permissions.
        stream = temporary.open("xb")
        with suppress(OSError):  # a file system without locks, where nobody can take it for stale either
            _hold(stream)
        if temporary.exists():
            return stream
        stream.close()  # it was taken for stale before it was locked


def _target(path: StrPath) -> Path:
    """The file itself where `path` is a link to it, so that writing keeps the link."""
    return Path(os.path.realpath(path))


def _check_target(target: Path, name: str, overwrite: bool, inputs: Iterable[StrPath]) -> None:
    if not target.exists():
        return
    if not target.is_file():
        raise OutputError(f"{name}: is not a regular file; choose another name")
    for source in inputs:
        if os.fspath(source) != "-" and os.path.exists(source) and os.path.samefile(source, target):
            raise OutputError(f"{name}: is the input {label(source)}, which is never overwritten; choose another name")
    if not overwrite:
        raise OutputError(f"{name}: exists already; choose another name or allow overwriting")


def _publish(temporary: Path, target: Path, overwrite: bool) -> None:
    """Give the finished file its name. A link, unlike a rename, never replaces a file that appeared meanwhile."""
    if not overwrite:
        try:
            os.link(temporary, target)
            return
        except FileExistsError:
            raise
        except OSError:
            pass  # a file system without hard links
    elif target.exists():
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    os.replace(temporary, target)
