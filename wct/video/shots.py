"""Shots: where one ends and the next begins.

A content detector after PySceneDetect's (changes of colour between frames against those around them), which itself is
not used: it reads files, not frames, and requires the build of OpenCV that needs a graphical desktop's libraries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from wct.images import Picture
from wct.video.frame import Array, Frame, pixels
from wct.video.libraries import cv2

__all__ = ["SHORTEST", "marked"]

SHORTEST = 12
"""Frames: no shot is shorter, but a clip's last."""

REACH = 4
"""Frames on either side that a cut is judged by; whatever passes within fewer of them is a flash and no cut."""

LEAST = 0.3
"""Difference below which nothing is a cut: frames of a chase on a bicycle differ by 0.16 to 0.24, cuts from one of 22
photos to the next by 0.53 to 0.9."""

RATIO = 3.0
"""How many times more than its neighbours' a cut's difference is: in fast pans all frames differ much."""

DARK = 0.06
"""Where the brightest pixel is below this share of white, the picture is black: the middle of a fade."""

_SIZE = (32, 18)
_BINS = 8


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the detector keeps of a frame: a thumbnail in Lab, its histogram, its difference from the frame before."""

    frame: Frame
    lab: Array
    histogram: Array
    score: float
    dark: bool


def marked(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Every frame, and whether a shot starts with it; reads `REACH` frames ahead.

    A shot starts with the first frame, at a cut, and where the picture comes back from black. Dissolves are no cuts: a
    plan that changed in the middle of one would be seen.
    """
    before: deque[_Seen] = deque(maxlen=REACH)
    ahead: deque[_Seen] = deque()
    length = 0

    def settle() -> tuple[Frame, bool]:
        nonlocal length
        seen = ahead.popleft()
        start = not before or (length >= SHORTEST and _starts(before, seen, ahead))
        length = 1 if start else length + 1
        before.append(seen)
        return seen.frame, start

    last: _Seen | None = None
    for frame in frames:
        last = _see(frame, last)
        ahead.append(last)
        if len(ahead) > REACH:
            yield settle()
    while ahead:
        yield settle()


def _starts(before: deque[_Seen], seen: _Seen, ahead: deque[_Seen]) -> bool:
    if before[-1].dark != seen.dark:
        return before[-1].dark
    around = [one.score for one in (*list(before)[1:], *ahead)]
    if seen.score < max(LEAST, RATIO * median(around or [0.0])):
        return False
    return all(_difference(old, new) >= LEAST for old in before for new in (seen, *list(ahead)[: REACH - 1]))


def _see(frame: Frame, last: _Seen | None) -> _Seen:
    if frame.broken and last is not None:
        return replace(last, frame=frame, score=0.0)
    lab = _thumbnail(frame.picture)
    counts = cv2.calcHist([lab], [0, 1, 2], None, [_BINS] * 3, [0.0, 100.0, -64.0, 64.0, -64.0, 64.0])
    shares = np.asarray(counts / lab[..., 0].size, np.float32)
    seen = _Seen(frame, lab, shares, 0.0, bool(lab[..., 0].max() < 100 * DARK))
    return seen if last is None else replace(seen, score=_difference(last, seen))


def _thumbnail(picture: Picture) -> Array:
    small = cv2.resize(pixels(picture), _SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2Lab), np.float32)


def _difference(one: _Seen, other: _Seen) -> float:
    """0 for equal pictures, about 1 for unrelated ones: half by place (mean Delta E of 50 counts as 1), half by colour.

    A moving camera changes what is where and not the colours, a lamp the colours a little everywhere; a cut both.
    """
    place = float(np.linalg.norm(one.lab - other.lab, axis=2).mean()) / 50
    colour = float(np.abs(one.histogram - other.histogram).sum()) / 2
    return (place + colour) / 2
