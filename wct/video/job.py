"""Stylising a whole clip: shots, frames, pieces and the film at the end."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from wct import __version__
from wct.engine import Local
from wct.errors import UsageError
from wct.images import Picture
from wct.images.label import label, warn
from wct.look import LOOK, Look
from wct.stylizer import Stylizer
from wct.video.defaults import STEADY
from wct.video.film import Film
from wct.video.frame import Array, Clip, Frame, pixels
from wct.video.plans import Live, Maker, Order, Planned, made, sampled
from wct.video.schedule import Schedule
from wct.video.sequence import Sequence, files_of, is_sequence
from wct.video.shots import marked
from wct.video.sinks import Sink, check_target, sink_for
from wct.video.steady import Steady
from wct.video.work import Work

__all__ = ["PIECE", "Report", "Settings", "stylize_clip"]

PIECE = 48
"""Frames after which what is done is kept: at most so many are lost when a run is stopped."""

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Settings:
    """How a clip is stylised.

    Attributes:
        look: of every frame.
        size: short side to which frames are resized; None keeps theirs.
        steady: strength of the fusion over frames, 0 to 1; see `wct.video.steady`.
        live: go through the clip once, with Gaussians that follow the frames, in place of one plan for each shot.
        fps: frames per second of an image sequence.
        crf: constant quality of a film, 0 (best) up; None for `wct.video.coding.CRF`.

    Raises:
        UsageError: a number is out of range.
    """

    look: Look = LOOK
    size: int | None = None
    steady: float = STEADY
    live: bool = False
    fps: Fraction | None = None
    crf: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.steady <= 1:
            raise UsageError(f"steady is {self.steady}; needs a number from 0 to 1")
        if self.crf is not None and not 0 <= self.crf <= 63:
            raise UsageError(f"crf is {self.crf}; needs a whole number from 0 (best) to 51, or 63 for WebM")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise UsageError(
                f"fps is {Decimal(self.fps.numerator) / self.fps.denominator:.6g}; needs a number above 0, up to 1000"
            )


@dataclass(frozen=True)
class Report:
    """What was made.

    Attributes:
        frames: how many.
        shots: how many.
        broken: the numbers of those that could not be read, which repeat the result before them.
    """

    frames: int
    shots: int
    broken: tuple[int, ...]


def stylize_clip(
    stylizer: Stylizer,
    source: str,
    schedule: Schedule,
    output: str,
    settings: Settings,
    *,
    overwrite: bool = False,
    inputs: Iterable[str] = (),
    keep_metadata: bool = False,
    comment: str = f"wct {__version__}",
    tell: Tell = lambda *_: None,
) -> Report:
    """Stylise a film, image sequence or stream.

    What is finished is kept beside the output; the same call goes on from there after an interruption.

    Args:
        source: a film, a folder of pictures or a pattern such as frame_%04d.png; with `settings.live` also a device,
            an address or "-" for standard input.
        output: a film by its extension, a folder or a pattern.
        inputs: files beside the source that are never replaced or removed, such as the pictures of the styles.
        keep_metadata: copy what a film says of itself (title, place, author) to the film that is made of it.
        tell: called with (done, total, what) after every frame; total is done where nobody knows.

    Raises:
        InputError, OutputError, UsageError, ModelError: what cannot work, where possible before anything is done.
    """
    check_target(output, source, overwrite, inputs=inputs, keep_metadata=keep_metadata)
    if settings.live and not isinstance(stylizer.engine, Local):
        raise UsageError("live: each frame waits for the one before, which many machines cannot share; leave one out")
    clip = _opened(source, settings)
    with Work(Path(os.path.abspath(output)), _identity(stylizer, source, schedule, output, settings)) as work:
        out: dict[str, Any] = {"comment": comment, "overwrite": overwrite, "keep_metadata": keep_metadata}
        sink = sink_for(output, clip, work, crf=settings.crf, **out)
        if settings.live:
            frames: Iterator[tuple[Frame, bool]] = marked(clip.frames())
            maker: Maker = Live(schedule, settings.look)
            count: int | None = clip.count
        else:
            starts, count = _shots(clip, work, tell)
            frames = ((frame, i in starts) for i, frame in enumerate(clip.frames()))
            maker = Planned(stylizer, schedule, settings.look, sampled(clip.frames(), sorted(starts), count))
        report = _Run(stylizer, clip, maker, sink, work, settings.steady)(frames, count, tell)
        work.remove()
    return report


class _Run:
    """From marked frames to a published output."""

    def __init__(self, stylizer: Stylizer, clip: Clip, maker: Maker, sink: Sink, work: Work, steady: float) -> None:
        self._stylizer, self._clip, self._maker, self._sink, self._work = stylizer, clip, maker, sink, work
        self._steady = Steady(steady)
        self._result: Array | None = None
        self._skip = work.pieces * PIECE
        self._shots = 0
        self._broken: list[int] = []
        self._ordered: deque[tuple[Frame, bool]] = deque()

    def __call__(self, frames: Iterator[tuple[Frame, bool]], count: int | None, tell: Tell) -> Report:
        done = self._skip
        began = time.monotonic()
        if (last := self._work.last()) is not None:
            self._steady.last, self._result = last, last[1]
        try:
            for picture in self._stylizer.engine.each(partial(made, self._stylizer), self._orders(frames)):
                self._add(picture)
                done += 1
                tell(done, count or done, f"{(done - self._skip) / (time.monotonic() - began):.2f} frames/s")
                if done % PIECE == 0:
                    self._seal()
        except KeyboardInterrupt:
            # A stream has no end; what came until it was stopped is the film.
            if count or self._result is None:
                raise
        if done > self._skip and done % PIECE:
            self._seal()
        self._sink.publish()
        return Report(done, self._shots, tuple(self._broken))

    def _orders(self, frames: Iterator[tuple[Frame, bool]]) -> Iterator[Order | None]:
        """How to make each frame that is still to be made, as far ahead as somebody asks; the frames wait meanwhile."""
        zero = 0
        for number, (frame, start) in enumerate(frames):
            zero = zero if number else frame.pts
            self._shots += start
            self._broken += [frame.number] if frame.broken else []
            if start:
                self._maker.start()
            if number < self._skip:
                continue
            self._ordered.append((frame, start))
            repeats = frame.broken and number > 0
            yield None if repeats else self._maker(frame, float((frame.pts - zero) * self._clip.time_base))

    def _add(self, picture: Picture | None) -> None:
        frame, start = self._ordered.popleft()
        if start:
            self._steady.last = None
        if picture is not None:
            self._result = self._steady(pixels(frame.picture), pixels(picture))
        assert self._result is not None
        self._sink.add(frame, self._result)

    def _seal(self) -> None:
        assert self._steady.last is not None
        self._work.seal(self._sink.close(), self._steady.last)


def _opened(source: str, settings: Settings) -> Clip:
    if is_sequence(source):
        return Sequence(source, settings.fps, settings.size)
    if settings.fps is not None:
        raise UsageError(f"fps is {float(settings.fps):g} for a film, which has its own; leave it out")
    # Before it is opened, which may wait for somebody to send something.
    if (
        not settings.live
        and (source == "-" or "://" in source or os.path.exists(source))
        and not os.path.isfile(source)
    ):
        raise UsageError(f"{label(source)}: is no file, and can be read once only; add --live")
    return Film(source, settings.size)


def _shots(clip: Clip, work: Work, tell: Tell) -> tuple[set[int], int]:
    """The first frame of each shot, and how many frames there are, from a look through the clip."""
    kept = work.shots()
    if kept is None:
        starts: list[int] = []
        done = 0
        for _, start in marked(clip.frames()):
            starts += [done] if start else []
            done += 1
            tell(done, clip.count or done, "finding shots")
        if isinstance(clip, Film) and clip.count is not None and done < 0.95 * clip.count - clip.rate / 4:
            warn(clip.name, f"ends after {done} of about {clip.count} frames; it is cut short or damaged")
        kept = starts, done
        work.keep_shots(*kept)
    return set(kept[0]), kept[1]


def _identity(
    stylizer: Stylizer, source: str, schedule: Schedule, output: str, settings: Settings
) -> dict[str, object]:
    """All that decides what the output will be."""
    stamps = [(str(path.absolute()), (found := path.stat()).st_size, found.st_mtime_ns) for path in files_of(source)]
    return {
        "wct": __version__,
        "source": stamps or [source, time.time_ns()],
        "output": str(Path(output).absolute()),
        "model": stylizer.model.identity,
        "styles": [(moment, style.digest) for moment, style in schedule.keyframes],
        "settings": repr(settings),
        "once": time.time_ns() if settings.live else 0,
    }
