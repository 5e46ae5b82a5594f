"""Mosaic: a sun of clay, gold and lapis, laid in rows of stones."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.spatial import cKDTree

from wct.samples.canvas import Plane, blend, coordinates, noise, paper, ramp

__all__ = ["mosaic"]

WARM = ("#5b1a12", "#96301a", "#c4562a", "#de8a35", "#efc25d", "#f7e3a8")
COOL = ("#12343f", "#1f5a66", "#4f9390")
GROUT = ("#2a1d16", "#4a382c")
STONES = 2300
"""About how many lie on the whole picture."""

SUN = np.array([0.46, 0.44])


def mosaic(rng: Generator, size: int) -> Plane:
    """(size, size, 3) in 0..1."""
    x, y = coordinates(size)
    pixels = np.stack([x, y], -1).reshape(-1, 2)
    stones = _stones(rng)
    distance, index = cKDTree(stones).query(pixels, k=2)
    gap = (distance[:, 1] - distance[:, 0]).reshape(size, size)
    own = index[:, 0].reshape(size, size)
    colours = _design(rng, stones)
    picture = colours[own]
    # Every stone is lit from the upper left, and has a grain of its own.
    offset = (pixels - stones[index[:, 0]]).reshape(size, size, 2).sum(-1)
    light = 1 - 9 * offset + 0.05 * noise(rng, size, 0.008)
    joint = np.clip((0.0062 - gap + 0.0012 * noise(rng, size, 0.02)) / 0.003, 0, 1)
    picture = np.clip(picture * light[..., None], 0, 1)
    return paper(rng, blend(picture, ramp(np.clip(light - 0.5, 0, 1), GROUT), joint), 0.02)


def _stones(rng: Generator) -> Plane:
    """Centres (n, 2) of stones in rings around the sun, each ring with room for its neighbours."""
    step = 1.0 / np.sqrt(STONES)
    centres = []
    for ring in np.arange(0.6, 60):
        radius = ring * step
        count = max(1, round(2 * np.pi * radius / step))
        angle = 2 * np.pi * (np.arange(count) + rng.uniform()) / count
        centres.append(np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1))
    places = np.concatenate(centres) + SUN
    places += rng.normal(0, 0.13 * step, places.shape)
    return np.asarray(places[(np.abs(places - 0.5) < 0.54).all(1)])


def _design(rng: Generator, stones: Plane) -> Plane:
    """A colour (n, 3) for every stone: a disc, rays, a wreath, and waves outside."""
    dx, dy = (stones - SUN).T
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    rays = 0.5 + 0.5 * np.sin(12 * angle + 9 * radius)
    value = np.where(radius < 0.11, 1 - 2.2 * radius, 0.25 + 0.65 * rays)
    value = np.where((radius > 0.27) & (radius < 0.33), 0.12, value)
    outside = radius > 0.33
    value = np.where(outside, 0.35 + 0.4 * np.sin(26 * stones[:, 1] + 2.5 * np.sin(9 * stones[:, 0])), value)
    colours = ramp(np.clip(value + rng.normal(0, 0.07, len(stones)), 0, 1), WARM)
    cool = outside & (np.sin(26 * stones[:, 1] + 2.5 * np.sin(9 * stones[:, 0])) < -0.35)
    cool |= (np.abs(radius - 0.125) < 0.013) | (np.abs(radius - 0.30) < 0.012)
    blue = ramp(np.clip(rng.normal(0.45, 0.28, len(stones)), 0, 1), COOL)
    return np.asarray(np.where(cool[:, None], blue, colours) * rng.normal(1, 0.07, (len(stones), 1)))
