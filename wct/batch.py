"""Many pictures in one style: reading, stylising and writing at the same time."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from threading import Thread
from typing import Literal, TypeVar

import torch

from wct.errors import InputError, ModelError, OutputError, UsageError, WctError, out_of_memory
from wct.files import check_folder, remove_stale
from wct.images import DEFAULT_MAX_PIXELS, DEFAULT_QUALITY, Picture, Source, check_output, read, read_comment
from wct.images.label import label, one_line
from wct.images.output import check_options
from wct.jobs import Job
from wct.look import BLENDS, LOOK, Look
from wct.sources import opened, scaled
from wct.style import Style, Weight
from wct.stylizer import Stylizer

__all__ = ["Outcome", "batch"]

READERS, AHEAD = 2, 2
"""Threads that read, and pictures that are read before the model is ready for them."""

WRITERS = 4
"""Threads that write, and pictures that wait for it at most."""

SHARE = 8
"""Pictures that a worker of a cluster takes at once, so that it too reads and writes while it computes."""

_TAG = re.compile(r"settings ([0-9a-f]{16})$")

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: which.
        status: "done"; "skipped", where the file is there already, made of the same picture with the same settings; or
            "failed".
        error: one line that says why it failed, or None.
        seconds: spent on it: reading, stylising and writing, without waiting.
        size: (H, W) of the result in pixels; None unless done.
    """

    job: Job
    status: Literal["done", "skipped", "failed"]
    error: str | None
    seconds: float
    size: tuple[int, int] | None = None


def batch(
    stylizer: Stylizer,
    jobs: Sequence[Job],
    styles: Sequence[Source | Style],
    *,
    weights: Sequence[Weight] | None = None,
    blend: str = BLENDS[0],
    scale: float = 1.0,
    look: Look = LOOK,
    size: int | None = None,
    quality: int = DEFAULT_QUALITY,
    bits: int = 8,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    overwrite: bool = False,
    comment: str = "",
) -> Iterator[Outcome]:
    """Do the jobs, and give an Outcome for each, in their order; the pictures are those `stylizer` makes one by one.

    Every file keeps in its comment a hash of its input and all settings, by which a later run knows what is finished.
    A run may be killed at any time: a file is there whole or not at all. On KeyboardInterrupt the pictures that are
    being written are finished and given first. The stylizer's engine does the work: this process, in the thread of the
    caller alone, or the workers of a cluster, to whom the files have the same names.

    Args:
        jobs: pictures and where they go, see `wct.jobs.jobs_of`. Folders are made.
        styles, weights, blend, scale: as for `Stylizer.style`. Measured once; for each picture, where `look.color` is
            "content".
        look, size: as for `Stylizer`.
        quality, bits, max_pixels: as for `wct.images.write` and `read`.
        overwrite: replace files that are there and were made of other pictures, with other settings or in other ways.
        comment: a line to keep in every file, before the hash.

    Raises:
        InputError, UsageError, ModelError, NumericsError: about the styles or the settings, with which no picture can
            be made. All that is about one picture is in its Outcome.
        OutputError: a folder cannot be made or written to.

    Examples:
        >>> import wct
        >>> from pathlib import Path
        >>> from wct.jobs import jobs_of
        >>> from wct.samples import PAINTINGS, paint
        >>> Path("photos").mkdir()
        >>> for name in PAINTINGS:
        ...     paint(name).resized(48).save(f"photos/{name}.png")
        >>> for outcome in batch(wct.Stylizer(), jobs_of("photos", "out"), [paint("waves")]):
        ...     print(outcome.job.target.name, outcome.status)
        linocut.png done
        mosaic.png done
        strokes.png done
        waves.png done
    """
    for job in jobs:
        check_options(job.target, quality=quality, bits=bits)
    known = [opened(style, max_pixels) if not isinstance(style, Style) else style for style in styles]
    settings = {
        "look": asdict(look) | {"levels": sorted(look.levels)},
        "weights": weights,
        "blend": blend,
        "scale": scale,
        "size": size,
        "quality": quality,
        "bits": bits,
        "model": [stylizer.model.fingerprint, stylizer.model.decoder_fingerprint],
        "styles": [one.digest if isinstance(one, Style) else _digest(one) for one in known],
    }
    ready = [one if isinstance(one, Style) else scaled(one, scale, None)[0] for one in known]

    def measured(picture: Picture | None) -> Style:
        return stylizer.style(
            *ready,
            weights=weights,
            blend=blend,
            scale=None,
            colors=picture,
            color_strength=look.color_strength,
            patches=look.transform == "swap",
        )

    style = measured if look.color == "content" else measured(None)
    desk = _Desk(stylizer, style, json.dumps(settings), look, size, quality, bits, max_pixels, overwrite, comment)
    for folder in sorted({job.target.parent for job in jobs}):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{label(folder)}: cannot be made ({one_line(error)}); choose another folder") from error
        check_folder(folder, label(folder))
    return _run(desk, jobs)


def _run(desk: _Desk, jobs: Sequence[Job]) -> Iterator[Outcome]:
    began = time.time()
    yield from desk.stylizer.engine.each(desk.work, jobs, SHARE)
    for folder in {job.target.parent for job in jobs}:
        remove_stale(folder, began)


def _pool(threads: int, name: str) -> ThreadPoolExecutor:
    """Threads beside the model's. torch computes in each with one core: every team of its own would take cores from
    the model's, even while it waits (100 pictures on 2 cores: 0.41 s each instead of 0.32).
    """
    return ThreadPoolExecutor(threads, name, initializer=_with_one_core, initargs=(torch.get_num_threads(),))


def _with_one_core(others: int) -> None:
    """One core for torch in this thread. torch sets it for threads to come as well, so another one puts that back."""
    with suppress(RuntimeError, MemoryError):  # without memory for a thread it stays at one, which changes no picture
        torch.get_num_threads()  # a thread takes over the common number when it first needs it, and not again
        torch.set_num_threads(1)
        restoring = Thread(target=torch.set_num_threads, args=(others,))
        restoring.start()
        restoring.join()


def _ahead(pool: Executor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """What `work` gives for the items, in their order; some are begun before they are asked for."""
    begun: deque[Future[R]] = deque()
    for item in items:
        begun.append(pool.submit(work, item))
        if len(begun) > AHEAD:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


@dataclass(frozen=True)
class _Work:
    """A job on its way: first with the picture that was read, then with its result; with neither once it has ended."""

    job: Job
    seconds: float
    tag: str = ""
    picture: Picture | None = None
    error: str | None = None


@dataclass(frozen=True)
class _Desk:
    """The three steps of a job, and what they need. Only `stylised` uses the model."""

    stylizer: Stylizer
    style: Style | Callable[[Picture], Style]
    settings: str
    look: Look
    size: int | None
    quality: int
    bits: int
    max_pixels: int | None
    overwrite: bool
    comment: str

    def work(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """All three steps for some jobs, the first and the last in other threads."""
        writing: deque[Future[Outcome]] = deque()
        with _pool(READERS, "read") as readers, _pool(WRITERS, "write") as writers:
            try:
                for work in map(self.stylised, _ahead(readers, self.read, jobs)):
                    writing.append(writers.submit(self.written, work))
                    while writing and (len(writing) > WRITERS or writing[0].done()):
                        yield writing.popleft().result()
            except KeyboardInterrupt:
                while writing:
                    yield writing.popleft().result()
                raise
            while writing:
                yield writing.popleft().result()

    def read(self, job: Job) -> _Work:
        """The picture, unless its result is there or cannot be written."""
        start = time.perf_counter()
        picture, error, tag = None, None, ""
        try:
            data = _contents(job)
            tag = hashlib.sha256(self.settings.encode() + data).hexdigest()[:16]
            if not self._finished(job, tag):
                check_output(job.target, overwrite=self.overwrite, inputs=(job.source,))
                picture = read(data, max_pixels=self.max_pixels, name=label(job.source))
        except Exception as caught:
            error = _line(job, caught)
        return _Work(job, time.perf_counter() - start, tag, picture, error)

    def stylised(self, work: _Work) -> _Work:
        """The result of a picture that was read."""
        if work.picture is None:
            return work
        start = time.perf_counter()
        picture, error = None, None
        try:
            style = self.style if isinstance(self.style, Style) else self.style(work.picture)
            picture = self.stylizer(work.picture, style, size=self.size, look=self.look)
        except (UsageError, ModelError):  # the settings, which are the same for all
            raise
        except Exception as caught:
            error = _line(work.job, caught)
        return replace(work, seconds=work.seconds + time.perf_counter() - start, picture=picture, error=error)

    def written(self, work: _Work) -> Outcome:
        """What became of it, once the result is in its file."""
        job, picture, error, start = work.job, work.picture, work.error, time.perf_counter()
        if picture is None:
            return Outcome(job, "failed" if error else "skipped", error, work.seconds)
        comment = f"{self.comment}, settings {work.tag}".removeprefix(", ")
        try:
            picture.save(
                job.target,
                overwrite=self.overwrite,
                inputs=(job.source,),
                quality=self.quality,
                bits=self.bits,
                comment=comment,
            )
        except Exception as caught:
            error = _line(job, caught)
        seconds = work.seconds + time.perf_counter() - start
        return Outcome(job, "failed" if error else "done", error, seconds, None if error else picture.size)

    def _finished(self, job: Job, tag: str) -> bool:
        """Whether the result is there; OutputError where another file is in its place and is to stay."""
        if not job.target.is_file():
            return False
        found = _TAG.search(read_comment(job.target) or "")
        if found and found[1] == tag:
            return True
        if not self.overwrite:
            how = "of another picture or with other settings" if found else "in another way"
            raise OutputError(f"{label(job.target)}: exists already, made {how}; move it or allow overwriting")
        return False


def _contents(job: Job) -> bytes:
    try:
        if not job.source.is_file():
            raise InputError(f"{label(job.source)}: is no file that can be read; check what it is")
        return job.source.read_bytes()
    except OSError as error:
        cause = one_line(error)
        raise InputError(f"{label(job.source)}: cannot be opened ({cause}); check name and permissions") from error


def _line(job: Job, error: Exception) -> str:
    """Why a job failed. Whatever it is, the others go on."""
    if isinstance(error, WctError):
        return " ".join(str(error).split())
    if out_of_memory(error):
        return f"{label(job.source)}: out of memory; give a size to reduce it to, or close other programs"
    return f"{label(job.source)}: unexpected {type(error).__name__} ({one_line(error)}); please report it"


def _digest(picture: Picture) -> str:
    """sha256 of the pixels of a picture."""
    digest = hashlib.sha256()
    digest.update(repr(picture.size).encode())
    digest.update(picture.rgb.cpu().numpy().tobytes())
    digest.update(b"" if picture.alpha is None else picture.alpha.tobytes())
    return digest.hexdigest()
