"""A session: what one visitor has, and what can be done with it. Knows nothing of browsers."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath

from torch import Tensor

from wct.errors import InputError, UsageError
from wct.images import Picture, fit, read
from wct.images.encoder import WHITE, encode
from wct.images.label import label
from wct.masks import resize_mask
from wct.progress import Progress
from wct.regions import Region
from wct.style import Style
from wct.web.preview import Preview
from wct.web.settings import DEFAULT_SIDE, LEAST_SIDE, MOST_STYLES, Settings
from wct.web.studio import Studio

__all__ = ["FACE", "Chosen", "Result", "Session", "jpeg"]

FACE, _VIEW = 160, 1600
"""Pixels: long sides of JPEGs to recognise a picture by, and of those to look at."""


class _Cancelled(Exception):  # noqa: N818
    """The visitor wants it no more."""


@dataclass(frozen=True)
class Chosen:
    """A style in use: its name, what it is taken from, and a JPEG to recognise it by."""

    name: str
    source: Picture | Style
    face: bytes


@dataclass(frozen=True)
class Result:
    """A finished picture.

    Attributes:
        token: who knows it may download the picture.
        name: of the file.
        size: (H, W).
        views: photo and result as JPEGs to look at.
        png: the result as a file.
    """

    token: str
    name: str
    size: tuple[int, int]
    views: tuple[bytes, bytes]
    png: bytes


class Session:
    """A visitor's photo, up to `MOST_STYLES` styles, a mask and the last result.

    Attributes:
        photo: what is stylised.
        styles: one for each place, None where it is free.
        mask: (h, w) in 0..1, where the style goes, in proportion to the photo; None for everywhere.
        result: the last one.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.photo: Picture | None = None
        self.styles: list[Chosen | None] = [None] * MOST_STYLES
        self.mask: Tensor | None = None
        self.result: Result | None = None
        self._preview: Preview | None = None
        self._move = self._edits = 0
        self._finished: tuple[int, Settings] | None = None  # what the last result shows, until a preview is drawn
        self._counting, self._drawing, self._working = threading.Lock(), threading.Lock(), threading.Lock()
        self._stop = threading.Event()

    @property
    def ready(self) -> bool:
        """Whether there is a photo and a style."""
        return self.photo is not None and any(style is not None for style in self.styles)

    @property
    def view(self) -> bytes:
        """The photo as a JPEG to look at; UsageError where there is none."""
        return jpeg(self._photo(), _VIEW // 2)

    @property
    def default_size(self) -> int:
        """The short side for results to begin with: the photo's own, within bounds; UsageError without a photo."""
        return max(LEAST_SIDE, min(DEFAULT_SIDE, *self._photo().size))

    def read(self, data: bytes, name: str) -> Picture:
        """A picture that the visitor sent; InputError where it is none, or too large."""
        name, limits = label(PurePath(name.replace("\\", "/")).name)[-60:] or "picture", self.studio.limits
        if len(data) > limits.bytes:
            most = f"at most {limits.bytes / 2**20:g} MB are taken, make it smaller"
            raise InputError(f"{name}: has {len(data) / 2**20:.1f} MB; {most}")
        return read(data, max_pixels=limits.pixels, name=name)

    def take_photo(self, photo: Picture) -> None:
        """Stylise this photo from now on, all of it."""
        self.photo, self.mask, self.result = photo, None, None
        self._edited()

    def add_style(self, name: str, source: Picture | Style) -> int:
        """Use one style more, and return its place; UsageError where all places are taken."""
        face = jpeg(source if isinstance(source, Picture) else source.picture(), FACE)
        with self._counting:
            free = [place for place, taken in enumerate(self.styles) if taken is None]
            if not free:
                raise UsageError(f"{MOST_STYLES} styles are in use, which is the most; remove one first")
            self.styles[free[0]] = Chosen(name, source, face)
        self._edited()
        return free[0]

    def drop_style(self, place: int) -> None:
        """Use the style in a place no more."""
        self.styles[place] = None
        self._edited()

    def take_mask(self, png: bytes | None) -> None:
        """Stylise only where this PNG is white, or everything where it is black or None; InputError where it is bad."""
        mask = None if png is None else read(png, max_pixels=4 * 2**20, formats=("PNG",), name="mask").rgb.mean(0)
        self.mask = None if mask is None or not bool(mask.any()) else mask
        self._edited()

    def preview(self, settings: Settings) -> tuple[bytes, bytes] | None:
        """Photo and result as small JPEGs; None where a newer move was made meanwhile, or the last result shows it.

        Raises what a stylisation raises; UsageError without a photo or a style.
        """
        move, asked = self._moved(), (self._edits, settings)
        with self._drawing:  # who waits here may be out of date when it is their turn
            if move != self._move:
                return None
            photo, sources, weights = self._chosen(settings)
            size = self._size(photo, settings)
            found = self._preview
            if found is None or found.source is not photo or found.size != size:
                found = self._preview = Preview(self.studio.stylizer, photo, size)
            made = found(sources, weights, settings.look, self.mask)
        if move != self._move or asked == self._finished:
            return None
        self._finished = None
        return jpeg(found.photo, _VIEW), jpeg(made, _VIEW)

    def full(self, settings: Settings, progress: Callable[[Progress], None]) -> Result | None:
        """The result in full size, which is also kept as `result`; None where it was cancelled.

        Raises what a stylisation raises; UsageError without a photo or a style, or while another one is made.
        """
        if not self._working.acquire(blocking=False):
            raise UsageError("a picture is being made already; wait for it, or cancel it")
        try:
            self._stop.clear()
            self._moved()  # or a preview that was asked for before would be shown after it
            asked = self._edits, settings

            def step(done: Progress) -> None:
                if self._stop.is_set():
                    raise _Cancelled
                progress(done)

            self.result, self._finished = self._made(settings, step), asked
            return self.result
        except _Cancelled:
            return None
        finally:
            self._working.release()

    def cancel(self) -> None:
        """Give up the full result that is being made."""
        self._stop.set()

    def blend(self, settings: Settings) -> Style:
        """The styles in use as one; UsageError where there is none."""
        sources, weights = self._in_use(settings)
        return self.studio.stylizer.style(*sources, weights=weights)

    def _moved(self) -> int:
        """The number of this move, with which all earlier ones are out of date."""
        with self._counting:
            self._move += 1
            return self._move

    def _edited(self) -> None:
        """Photo, styles or mask are others now."""
        with self._counting:
            self._edits += 1
            self._move += 1

    def _made(self, settings: Settings, step: Callable[[Progress], None]) -> Result:
        photo, sources, weights = self._chosen(settings)
        size, stylizer, mask = self._size(photo, settings), self.studio.stylizer, self.mask
        before = photo.resized(size)
        colors = before if settings.look.color == "content" else None
        step(Progress(0, settings.look.steps, "styles"))
        style = Style.blend(
            [one if isinstance(one, Style) else stylizer.style(one, colors=colors) for one in sources], weights
        )
        where = [Region(style, None if mask is None else resize_mask(mask, before.size))]
        after = stylizer(before, where, look=settings.look, progress=step)
        step(Progress(settings.look.steps, settings.look.steps, "file"))
        png = encode(after, "PNG", quality=100, background=WHITE, bits=8, comment=None)
        name = f"{PurePath(photo.name).stem}-stylized.png"
        return Result(secrets.token_urlsafe(24), name, after.size, (jpeg(before, _VIEW), jpeg(after, _VIEW)), png)

    def _chosen(self, settings: Settings) -> tuple[Picture, list[Picture | Style], list[float]]:
        """The photo, and the styles in use with their weights."""
        photo, (sources, weights) = self._photo(), self._in_use(settings)
        kept = [source.name for source in sources if isinstance(source, Style)]
        if kept and settings.look.color == "content":
            raise UsageError(f"style {kept[0]}: has only its own colours; use its picture, or let only light change")
        return photo, sources, weights

    def _photo(self) -> Picture:
        if self.photo is None:
            raise UsageError("there is no photo yet; add one first")
        return self.photo

    def _in_use(self, settings: Settings) -> tuple[list[Picture | Style], list[float]]:
        pairs = zip(self.styles, settings.weights, strict=True)
        found = [(style.source, weight) for style, weight in pairs if style is not None]
        if not found:
            raise UsageError("no style is in use yet; add one first")
        return [source for source, _ in found], [weight for _, weight in found]

    def _size(self, photo: Picture, settings: Settings) -> int:
        limits = self.studio.limits
        height, width = fit(photo.size, settings.size)
        if settings.size > limits.side or height * width > limits.pixels:
            raise UsageError(
                f"size: {width}x{height} pixels are more than this page makes (short side {limits.side}, "
                f"{limits.pixels / 1e6:.0f} million pixels); choose a smaller size"
            )
        return settings.size


def jpeg(picture: Picture, side: int) -> bytes:
    """A picture to look at: a JPEG whose long side has at most `side` pixels, what is transparent in white."""
    height, width = picture.size
    scale = min(1.0, side / max(height, width))
    small = picture.resized((max(1, round(height * scale)), max(1, round(width * scale))))
    return encode(small, "JPEG", quality=90, background=WHITE, bits=8, comment=None)
