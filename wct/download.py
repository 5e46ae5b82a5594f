"""Files from the network: gone on with where a download stopped, and checked against what is published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from math import ceil
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from filelock import FileLock

from wct.errors import InputError, OutputError
from wct.images.label import label, one_line

__all__ = ["Published", "Tell", "alone", "download"]

BLOCK = 1 << 18
TIMEOUT = 30
"""Seconds without a byte after which a server counts as gone."""
RANGE_NOT_SATISFIABLE = 416

Tell = Callable[[float, int, str], None]


@dataclass(frozen=True)
class Published:
    """A file as it is published.

    Attributes:
        url: where.
        digest: of its bytes, in hexadecimal: md5 (32 digits) or sha512 (128).
        size: in bytes.
        by_hand: what to do with a copy of it that was got in some other way.
    """

    url: str
    digest: str
    size: int
    by_hand: str

    @property
    def algorithm(self) -> str:
        """Of `digest`."""
        return {32: "md5", 128: "sha512"}[len(self.digest)]

    @property
    def remedy(self) -> str:
        """What to do where it cannot be had from there."""
        return f"check the connection, or get the file some other way and {self.by_hand}"

    def found(self, file: Path) -> str | None:
        """The digest of a file; None where there is none."""
        if not file.is_file():
            return None
        with open(file, "rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.new(self.algorithm, usedforsecurity=False)).hexdigest()


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """As the only process that writes there, after the others have ended; the folder is made."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(".lock"))
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        raise OutputError(
            f"{label(target)}: cannot be written ({one_line(error)}); set WCT_HOME to a folder of yours"
        ) from error
    try:
        yield
    finally:
        lock.release()


def download(source: Published, part: Path, tell: Tell) -> None:
    """Make `part` the published file: from where it ends, and from the beginning where that gives another one.

    `tell` hears of megabytes: how many of how many. Raises InputError where the network fails or the file is another
    one, OutputError where it cannot be written.
    """
    try:
        if source.found(part) == source.digest:
            return
        resumed = _receive(source, part, tell)
        if resumed and source.found(part) != source.digest:
            part.unlink()
            _receive(source, part, tell)
        if (found := source.found(part)) != source.digest:
            kind = source.algorithm
            what = "a web page" if part.read_bytes()[:512].lstrip()[:1] == b"<" else f"a file of {kind} {found}"
            part.unlink()
            raise InputError(f"{source.url}: found {what}, needs {kind} {source.digest}; {source.remedy}")
    except OSError as error:
        raise OutputError(
            f"{label(part)}: cannot be written ({one_line(error)}); make room, or set WCT_HOME to another folder"
        ) from error
    except KeyboardInterrupt as stop:
        raise type(stop)("the same command goes on with the download") from stop


def _receive(source: Published, part: Path, tell: Tell) -> bool:
    """Append what is missing to `part`; or write it anew, where the server sends the whole, and return False."""
    start = part.stat().st_size if part.is_file() else 0
    with _ask(source, start) as reply:
        resumed = reply.status == 206
        with open(part, "ab" if resumed else "wb") as file:
            done = start if resumed else 0
            end = None if reply.length is None else done + reply.length
            while done <= source.size and (block := _read(source, reply)):
                file.write(block)
                done += len(block)
                tell(done / 1e6, ceil(source.size / 1e6), "MB")
    if end is not None and done < min(end, source.size):
        raise _lost(source, f"after {done} of {end} bytes")
    return resumed


def _ask(source: Published, start: int) -> HTTPResponse:
    headers = {"User-Agent": "wct"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        reply: HTTPResponse = urlopen(Request(source.url, headers=headers), timeout=TIMEOUT)
        return reply
    except (OSError, HTTPException) as error:
        if start and isinstance(error, HTTPError) and error.code == RANGE_NOT_SATISFIABLE:
            return _ask(source, 0)
        raise InputError(f"{source.url}: cannot be downloaded ({one_line(error)}); {source.remedy}") from error


def _read(source: Published, reply: HTTPResponse) -> bytes:
    try:
        return reply.read(BLOCK)
    except (OSError, HTTPException) as error:
        raise _lost(source, one_line(error)) from error


def _lost(source: Published, cause: str) -> InputError:
    return InputError(f"{source.url}: the connection was lost ({cause}); run the same command again to go on")
