"""Many pictures in one style: reading, stylising and writing at the same time."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

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
from wct.threads import ahead, pool

__all__ = ["Outcome", "batch"]

READERS, AHEAD = 2, 2
"""Threads that read, and pictures that are read before the model is ready for them."""

WRITERS = 4
"""Threads that write, and pictures that wait for it at most."""

SHARE = 8
"""Pictures that a worker of a cluster takes at once, so that it too reads and writes while it computes."""

_TAG = re.compile(r"settings ([0-9a-f]{16})$")


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
        "model": stylizer.model.identity,
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
    yield from desk.stylizer.engine.each(desk.work, jobs, SHARE)
    for folder in {job.target.parent for job in jobs}:
        remove_stale(folder)


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
        with pool(READERS, "read") as readers, pool(WRITERS, "write") as writers:
            try:
                for work in map(self.stylised, ahead(readers, self.read, jobs, AHEAD)):
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
            if self._wanted(job, tag):
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
            made = True
        except Exception as caught:
            made = False
            if _tag(job.target) != work.tag:  # or another run of the same command has made it meanwhile
                error = _line(job, caught)
        seconds = work.seconds + time.perf_counter() - start
        if made:
            return Outcome(job, "done", None, seconds, picture.size)
        return Outcome(job, "failed" if error else "skipped", error, seconds)

    def _wanted(self, job: Job, tag: str) -> bool:
        """Whether the result is still to be made; OutputError where it cannot be written."""
        if self._finished(job, tag):
            return False
        try:
            check_output(job.target, overwrite=self.overwrite, inputs=(job.source,))
        except OutputError:
            if self._finished(job, tag):  # another run of the same command has made it meanwhile
                return False
            raise
        return True

    def _finished(self, job: Job, tag: str) -> bool:
        """Whether the result is there; OutputError where another file is in its place and is to stay."""
        found = _tag(job.target)
        if found is not None and found != tag and not self.overwrite:
            how = "of another picture or with other settings" if found else "in another way"
            raise OutputError(f"{label(job.target)}: exists already, made {how}; move it or allow overwriting")
        return found == tag


def _tag(result: Path) -> str | None:
    """The hash that a result keeps, "" where it keeps none, None where there is no file."""
    if not result.is_file():
        return None
    found = _TAG.search(read_comment(result) or "")
    return found[1] if found else ""


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
