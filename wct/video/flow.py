"""Optical flow between two frames, and where it can be trusted."""

from __future__ import annotations

import numpy as np

from wct.video.frame import Array
from wct.video.libraries import cv2

__all__ = ["flow", "unreliable", "warp"]

SMALLEST = 32
"""Pixels: smaller sides are extended for the search, which works on patches of 8 at several scales."""


def flow(start: Array, end: Array) -> Array:
    """(H, W, 2) in pixels (x, y): start(p) is seen again at end(p + flow(p)) (DIS, Kroeger et al. 2016).

    Args:
        start: (H, W, 3) float32 in 0..1.
        end: likewise.
    """
    height, width = start.shape[:2]
    below, right = max(0, SMALLEST - height), max(0, SMALLEST - width)
    grey = [
        cv2.copyMakeBorder(
            cv2.cvtColor(cv2.convertScaleAbs(frame, alpha=255), cv2.COLOR_RGB2GRAY),
            0, below, 0, right, cv2.BORDER_REPLICATE,
        )
        for frame in (start, end)
    ]  # fmt: skip
    # The next faster setting takes 15 ms instead of 73 at 1024x1024, but then the warping error of films falls to 0.59
    # and 0.55 of that without steadying, with this one to 0.52 and 0.54 (tests/benchmarks/video.py).
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    # What is passed in is where the search starts: it has to be zero.
    found = search.calc(grey[0], grey[1], np.zeros((*grey[0].shape, 2), np.float32))
    return np.asarray(found[:height, :width], np.float32)


def warp(frame: Array, along: Array, interpolation: int = cv2.INTER_LINEAR) -> Array:
    """frame(p + along(p)) for every pixel p; beyond the border the border's colour."""
    moved = cv2.remap(frame, *_places(along), interpolation, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def unreliable(backward: Array, forward: Array) -> Array:
    """(H, W) of 0 and 1: where a frame shows what the one before it does not, or where motion has a boundary.

    Ruder et al. 2016, section 4.2 (after Sundaram et al. 2010), with `backward` from the frame to the one before it
    and `forward` back again. What comes in over the border of the picture counts as well.
    """
    there = warp(forward, backward)
    size = _square(there) + _square(backward)
    disoccluded = _square(there + backward) > 0.01 * size + 0.5
    slope = np.zeros_like(size)
    slope[:-1] += _square(np.diff(backward, axis=0))
    slope[:, :-1] += _square(np.diff(backward, axis=1))
    boundary = slope > 0.01 * _square(backward) + 0.002
    height, width = backward.shape[:2]
    x, y = _places(backward)
    outside = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
    return np.asarray(disoccluded | boundary | outside, np.float32)


def _places(along: Array) -> tuple[Array, Array]:
    """Where every pixel goes: x and y, (H, W) each."""
    height, width = along.shape[:2]
    rows, columns = (np.arange(side, dtype=np.float32) for side in (height, width))
    return columns + along[..., 0], rows[:, None] + along[..., 1]


def _square(vectors: Array) -> Array:
    """(H, W), the square of their length. numpy takes five times as long to add up so short an axis."""
    x, y = vectors[..., 0], vectors[..., 1]
    return x * x + y * y
