"""Weights that do not come with wct: downloaded once, or imported from a file, checked and put into `home()`."""

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

from wct.errors import ModelError, OutputError
from wct.images.label import label, one_line
from wct.models.model import ENCODER, Card, find, load_encoder
from wct.models.weights import save_tensors

__all__ = ["SOURCES", "Source", "fetch", "import_file"]

BLOCK = 1 << 18
TIMEOUT = 30
"""Seconds without a byte after which a server counts as gone."""
RANGE_NOT_SATISFIABLE = 416

Tell = Callable[[float, int, str], None]


@dataclass(frozen=True)
class Source:
    """Where a model's encoder is published: one file, of so many bytes, with this md5."""

    url: str
    md5: str
    size: int


SOURCES = {
    "vgg19": Source(
        "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "253f8cb515780f3b799900260a226db6",
        80_134_624,
    )
}
"""What Keras publishes (`keras.applications.vgg19`): the original weights without the classifier."""


def fetch(name: str, tell: Tell, *, offline: bool = False) -> Path:
    """The file with the encoder of the model `name`, downloaded, checked and converted where it is not in place.

    Any number of processes may ask at once: one downloads, the others wait. What a stopped one has received is
    gone on with. `tell` hears of megabytes: how many of how many.

    Raises ModelError where the model has nothing to fetch, the network fails, the file is another one, or it is not in
    place and `offline`; OutputError where it cannot be written.
    """
    card, source = find(name), _source(name)
    target = card.cached(ENCODER)
    if _in_place(card, target):
        return target
    if offline:
        raise ModelError(f"model {name!r}: its encoder is not at {label(target)}; leave out --offline to download it")
    with _alone(target):
        if not _in_place(card, target):
            part = target.with_name(f"{source.md5}.part")
            _download(name, source, part, tell)
            _install(card, part, target)
            part.unlink()
    return target


def import_file(name: str, file: Path) -> Path:
    """Put the encoder of the model `name` in place from a file that `load_encoder` reads; returns where it lies.

    Raises ModelError where the model has nothing to import or the file is not its encoder, OutputError where it
    cannot be written.
    """
    card = find(name)
    _source(name)
    target = card.cached(ENCODER)
    with _alone(target):
        _install(card, file, target)
    return target


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise ModelError(f"model {name!r}: has nothing to fetch or import; {', '.join(SOURCES)} has")
    return SOURCES[name]


def _in_place(card: Card, target: Path) -> bool:
    """Whether the encoder lies there and is right; one that is not is replaced."""
    try:
        return target.is_file() and bool(load_encoder(card.spec.encoder, target))
    except ModelError:
        return False


@contextmanager
def _alone(target: Path) -> Iterator[None]:
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


def _install(card: Card, file: Path, target: Path) -> None:
    encoder = load_encoder(card.spec.encoder, file)
    for stale in target.parent.glob(f".{target.name}.*"):  # of processes that were killed: nobody else is here
        stale.unlink(missing_ok=True)
    save_tensors(encoder.state_dict(), target)


def _download(name: str, source: Source, part: Path, tell: Tell) -> None:
    """Make `part` the published file: from where it ends, and from the beginning where that gives another one."""
    try:
        if _md5(part) == source.md5:
            return
        resumed = _receive(name, source, part, tell)
        if resumed and _md5(part) != source.md5:
            part.unlink()
            _receive(name, source, part, tell)
        if (found := _md5(part)) != source.md5:
            what = "a web page" if part.read_bytes()[:512].lstrip()[:1] == b"<" else f"a file of md5 {found}"
            part.unlink()
            raise ModelError(f"{source.url}: found {what}, needs md5 {source.md5}; {_by_hand(name)}")
    except OSError as error:
        raise OutputError(
            f"{label(part)}: cannot be written ({one_line(error)}); make room, or set WCT_HOME to another folder"
        ) from error
    except KeyboardInterrupt as stop:
        raise type(stop)("the same command goes on with the download") from stop


def _receive(name: str, source: Source, part: Path, tell: Tell) -> bool:
    """Append what is missing to `part`; or write it anew, where the server sends the whole, and return False."""
    start = part.stat().st_size if part.is_file() else 0
    with _ask(name, source, start) as reply:
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


def _ask(name: str, source: Source, start: int) -> HTTPResponse:
    headers = {"User-Agent": "wct"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        reply: HTTPResponse = urlopen(Request(source.url, headers=headers), timeout=TIMEOUT)
        return reply
    except (OSError, HTTPException) as error:
        if start and isinstance(error, HTTPError) and error.code == RANGE_NOT_SATISFIABLE:
            return _ask(name, source, 0)
        raise ModelError(f"{source.url}: cannot be downloaded ({one_line(error)}); {_by_hand(name)}") from error


def _read(source: Source, reply: HTTPResponse) -> bytes:
    try:
        return reply.read(BLOCK)
    except (OSError, HTTPException) as error:
        raise _lost(source, one_line(error)) from error


def _lost(source: Source, cause: str) -> ModelError:
    return ModelError(f"{source.url}: the connection was lost ({cause}); run the same command again to go on")


def _by_hand(name: str) -> str:
    return f"check the connection, or get the file some other way and run `wct models import {name} FILE`"


def _md5(part: Path) -> str | None:
    if not part.is_file():
        return None
    with open(part, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
