"""Image analogies: Hertzmann, Jacobs, Oliver, Curless & Salesin, Image Analogies, 2001. A is to A' as B is to B'."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from wct.errors import UsageError
from wct.images import Picture
from wct.methods.hidden import kept, shown
from wct.methods.stopped import Stopped
from wct.progress import Progress, Steps
from wct.sources import scaled

__all__ = ["analogies", "analogy", "remapped"]

Array = NDArray[np.float32]
Places = NDArray[np.intp]

FINE = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
COARSE = [(y, x) for y in range(-1, 2) for x in range(-1, 2)]
"""Neighbourhoods: 5x5 at a level, 3x3 at the one above (section 3.1)."""
BEFORE = FINE[:12]
"""The part of a 5x5 neighbourhood that lies before its middle in scan-line order, and so is made already."""

SMALLEST = 12
"""Pixels of the short side of the coarsest level, at least."""

DIMENSIONS = 24
"""Principal components of the neighbourhoods that are compared (section 3.2 reduces them likewise)."""

CLOSE = 0.3
"""The search's match may be this much farther away than the best one."""

FILTER = 3.0
"""Pixels by which a painting is blurred to stand for what it was painted from."""


def analogies(
    content: Picture,
    style: Picture,
    *,
    kappa: float = 5.0,
    color: str = "style",
    progress: Callable[[Progress], None] = lambda _: None,
) -> Picture:
    """The content painted as the style is: an artistic filter (section 4.2) learnt from the painting alone.

    What the painting was painted from is not known; as the paper's section 4.2 does for such cases, the painting
    itself, blurred, stands for it. Luminance is compared, and the content's is remapped to it (section 3.4).

    Args:
        content: B.
        style: A', reduced to a short side of 512 where it is larger, as the stylizer does.
        kappa: weight of coherence, 0 and more: 2 to 25 for such filters (section 3.2).
        color: "style" takes the colours of the painting's pixels along; "content" the luminance alone, and keeps the
            chroma of the content, as the paper does.
        progress: called after every front of pixels.

    Raises:
        UsageError: a setting is out of range.
        Stopped: by Ctrl-C at the finest level; holds what there is of it, over the painting's first pixel.
    """
    if color not in ("style", "content"):
        raise UsageError(f"analogies: found color {color!r}; needs style or content")
    painted, own = _yiq(shown(scaled(style, 1.0, None)[0])), _yiq(shown(content))
    before = gaussian_filter(painted[..., :1], (FILTER, FILTER, 0))
    sharp = remapped(own[..., :1], painted[..., :1])
    stopped = False
    try:
        places = analogy(before, painted[..., :1], gaussian_filter(sharp, (1, 1, 0)), kappa=kappa, progress=progress)
    except _UnfinishedError as rest:
        places, stopped = rest.places, True
    made = painted.reshape(-1, 3)[places]
    if color == "content":
        made = np.concatenate([made[..., :1], own[..., 1:]], 2)
    rgb = torch.from_numpy((made @ np.linalg.inv(YIQ).T).transpose(2, 0, 1).astype(np.float32)).clamp(0, 1)
    result = kept(content, rgb)
    if stopped:
        raise Stopped(result)
    return result


def remapped(wanted: Array, like: Array) -> Array:
    """Numbers with the mean and deviation of others (section 3.4)."""
    deviation = float(wanted.std())
    gain = float(like.std()) / deviation if deviation > 1e-4 else 0.0
    return np.asarray((wanted - wanted.mean()) * gain + like.mean(), np.float32)


def analogy(
    a: Array,
    a_prime: Array,
    b: Array,
    *,
    kappa: float = 5.0,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Places:
    """Where in A' every pixel of B' comes from, (H, W), numbers of pixels row by row (section 3).

    From coarse to fine, and at each level pixel by pixel in scan-line order: the best approximate match of the
    neighbourhood in A, A' and both one level up, or the most coherent one with the pixels before, where that is not
    worse by more than (1 + 2^(l - L) kappa).

    Departure: pixels whose neighbours before them are made already are made together, all those with the same x + 3 y.
    The order of each pixel and its neighbours is the paper's; thousands of searches become hundreds.

    Args:
        a, a_prime: (h, w, C) and (h, w, C'), the unfiltered and the filtered picture; labels in colours for
            texture-by-numbers (section 4.4).
        b: (H, W, C).
        kappa: weight of coherence, 0 and more; 0 takes the best match.
        progress: called after every front of pixels.

    Raises:
        UsageError: the shapes do not fit, or kappa is negative.
    """
    if a.shape[:2] != a_prime.shape[:2] or a.shape[2] != b.shape[2] or not 0 <= kappa < np.inf:
        found = f"A {a.shape}, A' {a_prime.shape}, B {b.shape}, kappa {kappa}"
        raise UsageError(
            f"analogy: found {found}; needs A and A' of one size, A and B of one depth, kappa of 0 or more"
        )
    depth = 1
    while min(*a.shape[:2], *b.shape[:2]) >> depth >= SMALLEST:
        depth += 1
    pyramids = [_pyramid(one, depth) for one in (a, a_prime, b)]
    steps = Steps(progress, sum(b.shape[1] + 3 * (b.shape[0] - 1) for b in pyramids[2]))
    places: Places | None = None
    for level in reversed(range(depth)):
        here = _Level(*(pyramid[level] for pyramid in pyramids))
        above = None
        if places is not None:
            coarse, coarse_prime, coarse_b = (pyramid[level + 1] for pyramid in pyramids)
            above = _Above(coarse, coarse_prime, coarse_b, places)
        # l counts from the coarsest level 1 to the finest, L.
        try:
            places = here.made(above, kappa * 2.0**-level, steps)
        except _UnfinishedError as stop:
            if level > 0:  # nothing of the size that is wanted is there yet
                raise KeyboardInterrupt from stop
            raise
    assert places is not None
    return places


@dataclass(frozen=True)
class _Level:
    """One level of the pyramids."""

    a: Array
    a_prime: Array
    b: Array

    def made(self, above: _Above | None, kappa: float, steps: Steps) -> Places:
        """Where the pixels of B' come from."""
        fixed_a = [_neighbours(self.a, FINE)]
        fixed_b = [_neighbours(self.b, FINE)]
        if above is not None:
            for one, other in ((above.a, above.b), (above.a_prime, above.b_prime)):
                fixed_a.append(_neighbours(one, COARSE, self.a.shape[:2]))
                fixed_b.append(_neighbours(other, COARSE, self.b.shape[:2]))
        known = np.concatenate([*fixed_a, _neighbours(self.a_prime, BEFORE)], 1)
        mean, axes = _principal(known)
        count = sum(one.shape[1] for one in fixed_a)
        compared = (known - mean) @ axes
        search = _Search(compared, self.a.shape[:2], kappa, cKDTree(compared))
        static = np.asarray((np.concatenate(fixed_b, 1) - mean[:count]) @ axes[:count], np.float32)
        return _scan(search, static, self.a_prime, self.b.shape[:2], (mean[count:], axes[count:]), steps)


@dataclass(frozen=True)
class _Above(_Level):
    """The next coarser level, and where its pixels of B' come from."""

    places: Places

    @property
    def b_prime(self) -> Array:
        return np.asarray(self.a_prime.reshape(-1, self.a_prime.shape[2])[self.places], np.float32)


@dataclass(frozen=True)
class _Search:
    """The neighbourhoods of A and A', and how one is found among them."""

    known: Array
    size: tuple[int, ...]
    kappa: float
    tree: cKDTree

    def best(self, wanted: Array, coherent: Places) -> Places:
        """The number of a pixel of A for each neighbourhood (n, D), with coherent candidates (n, k), -1 for none."""
        distance, found = self.tree.query(wanted, eps=CLOSE)
        if self.kappa == 0:
            return np.asarray(found, np.intp)
        away = np.square(self.known[coherent] - wanted[:, None]).sum(2)
        away[coherent < 0] = np.inf
        nearest = away.argmin(1)
        rows = np.arange(len(wanted))
        take = away[rows, nearest] <= np.square(distance) * (1 + self.kappa)
        return np.asarray(np.where(take, coherent[rows, nearest], found), np.intp)


def _scan(
    search: _Search,
    static: Array,
    a_prime: Array,
    size: tuple[int, ...],
    moving: tuple[Array, Array],
    steps: Steps,
) -> Places:
    """All pixels of B', front by front."""
    height, width = size
    mean, axes = moving
    channels = a_prime.shape[2]
    pixels = a_prime.reshape(-1, channels)
    margin = 2
    made = np.full((height + 2 * margin, width + 2 * margin, channels), OUTSIDE, np.float32)
    source = np.full((height + 2 * margin, width + 2 * margin), -1, np.intp)
    shifts, weights = np.array(BEFORE), np.sqrt(_weights(BEFORE))[:, None]
    inner = np.s_[margin:-margin, margin:-margin]
    for front in range(width + 3 * (height - 1)):
        y = np.arange(max(0, -(-(front - width + 1) // 3)), min(height - 1, front // 3) + 1)
        x = front - 3 * y
        if not len(y):  # of pictures narrower than three pixels
            steps.step("pixels")
            continue
        rows, columns = (one[:, None] + shifts[:, i] + margin for i, one in enumerate((y, x)))
        before = (made[rows, columns] * weights).reshape(len(y), -1)
        wanted = static[y * width + x] + (before - mean) @ axes
        try:
            found = search.best(wanted, _continued(source[rows, columns], search.size))
            steps.step("pixels")
        except KeyboardInterrupt as stop:
            raise _UnfinishedError(np.maximum(source[inner], 0)) from stop
        made[y + margin, x + margin], source[y + margin, x + margin] = pixels[found], found
    return source[inner].copy()


def _continued(before: Places, size: tuple[int, ...]) -> Places:
    """The pixels of A that continue those (n, 12) the neighbours before came from (Ashikhmin 2001); -1 outside."""
    y, x = before // size[1] - np.array(BEFORE)[:, 0], before % size[1] - np.array(BEFORE)[:, 1]
    inside = (before >= 0) & (y >= 0) & (y < size[0]) & (x >= 0) & (x < size[1])
    return np.where(inside, y * size[1] + x, -1)


def _neighbours(picture: Array, shifts: Sequence[tuple[int, int]], finer: tuple[int, ...] | None = None) -> Array:
    """(pixels, len(shifts) C), the weighted neighbourhoods of all pixels, or of those of the next finer level.

    Near pixels count more, by a Gaussian; each part of a neighbourhood as much as the others (section 3.1).
    """
    height, width, channels = picture.shape
    padded = np.pad(picture, [(2, 2), (2, 2), (0, 0)], constant_values=OUTSIDE)
    parts = [padded[2 + y : 2 + y + height, 2 + x : 2 + x + width] for y, x in shifts]
    stacked = np.stack(parts, 2) * np.sqrt(_weights(shifts))[:, None]
    if finer is not None:
        rows, columns = (
            np.minimum(np.arange(side) // 2, most - 1) for side, most in zip(finer, (height, width), strict=True)
        )
        stacked = stacked[rows][:, columns]
    return np.asarray(stacked.reshape(-1, len(shifts) * channels), np.float32)


OUTSIDE = 0.5
"""What lies outside a picture."""


def _weights(shifts: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    squares = np.square(np.array(shifts)).sum(1)
    weights = np.exp(-squares / (2.0 if squares.max() > 2 else 1.0))
    return np.asarray(weights / weights.sum(), np.float64)


def _principal(known: Array) -> tuple[Array, Array]:
    """The mean and the leading directions (D, at most DIMENSIONS)."""
    mean = known.mean(0)
    _, vectors = np.linalg.eigh(np.cov((known - mean).T, ddof=0))
    return mean, np.ascontiguousarray(vectors[:, : -DIMENSIONS - 1 : -1], np.float32)


def _pyramid(picture: Array, depth: int) -> list[Array]:
    """From fine to coarse, each level blurred and halved, rounded up."""
    found = [np.asarray(picture, np.float32)]
    for _ in range(depth - 1):
        found.append(gaussian_filter(found[-1], (1, 1, 0))[::2, ::2])
    return found


YIQ = np.array([[0.299, 0.587, 0.114], [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])


def _yiq(picture: Picture) -> Array:
    """(H, W, 3)."""
    return np.asarray(picture.rgb.cpu().permute(1, 2, 0).numpy() @ YIQ.T, np.float32)


class _UnfinishedError(Exception):
    """Ctrl-C; where the pixels come from that are made."""

    def __init__(self, places: Places) -> None:
        super().__init__()
        self.places = places
