"""What all painters use: coordinates, smooth noise, colour ramps and paper."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["Plane", "blend", "coordinates", "noise", "paper", "ramp", "tint"]

Plane = NDArray[np.float64]


def coordinates(size: int) -> tuple[Plane, Plane]:
    """(x, y) of the pixels of a square picture, each (size, size), from 0 at the left and top to 1."""
    y, x = np.mgrid[:size, :size] / size
    return x, y


def noise(rng: Generator, size: int, grain: float) -> Plane:
    """Smooth noise (size, size) of mean 0 and deviation 1, whose spots are about `grain` of the side wide."""
    # Coarse noise is made small and enlarged: a wide filter over all pixels would take seconds.
    cells = max(8, min(size, round(6 / grain)))
    small = gaussian_filter(rng.standard_normal((cells, cells)), grain * cells / 2.5, mode="wrap")
    at = (np.arange(size) + 0.5) * (cells - 1) / size
    low = at.astype(int)
    part = at - low
    rows = small[low] * (1 - part)[:, None] + small[low + 1] * part[:, None]
    field = rows[:, low] * (1 - part) + rows[:, low + 1] * part
    return np.asarray((field - field.mean()) / field.std())


def tint(colour: str) -> Plane:
    """A colour (3,) in 0..1, written as "#rrggbb"."""
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def ramp(value: Plane, colours: Sequence[str]) -> Plane:
    """Colours (…, 3) in 0..1 for values in 0..1, between evenly spaced colours written as "#rrggbb"."""
    stops = np.stack([tint(colour) for colour in colours])
    places = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(value, places, stops[:, channel]) for channel in range(3)], -1)


def blend(below: Plane, above: Plane, share: Plane) -> Plane:
    """`above` (…, 3), or one colour (3,), over `below` (…, 3) as far as `share` (…) in 0..1 says."""
    return below + (above - below) * share[..., None]


def paper(rng: Generator, pixels: Plane, strength: float) -> Plane:
    """The picture (size, size, 3) with the tooth of paper."""
    size = len(pixels)
    tooth = noise(rng, size, 0.004) + 0.7 * noise(rng, size, 0.02)
    return np.asarray(np.clip(pixels * (1 + strength * tooth[..., None]), 0, 1))
