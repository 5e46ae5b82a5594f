"""Waves: rows of breakers in indigo on cream, in the manner of a woodblock print."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from wct.samples.canvas import Plane, blend, coordinates, noise, paper, ramp, tint

__all__ = ["waves"]

SKY = ("#e9d9b4", "#f3e6c8", "#e6c9a0", "#d9a27e")
WATER = ("#9fc3cc", "#4f86a3", "#23507d", "#152f5c", "#0e1f45")
FOAM, INK, SUN = tint("#f6efdc"), tint("#101c3a"), tint("#c8452f")
ROWS = 9


def waves(rng: Generator, size: int) -> Plane:
    """(size, size, 3) in 0..1."""
    x, y = coordinates(size)
    wobble = 0.006 * noise(rng, size, 0.05)
    pixels = ramp(np.clip(y * 3.5 + 0.06 * noise(rng, size, 0.15), 0, 1), SKY)
    pixels = blend(pixels, SUN, _edge(0.085 - np.hypot(x - 0.7 + wobble, y - 0.12), 0.004))
    clouds = np.sin(9 * x + 40 * y + 2 * np.sin(14 * y)) + 0.5 * noise(rng, size, 0.2)
    pixels = blend(pixels, FOAM, 0.85 * _edge(clouds - 0.75, 0.1))
    pixels = blend(pixels, INK, 0.55 * _lines(y * 42 + 1.3 * np.sin(7 * x) + 60 * wobble, 0.1))
    for row in range(ROWS):
        near = (row + 1) / ROWS
        pixels = _wave(rng, pixels, x + 2 * wobble, y + wobble, near)
    return paper(rng, pixels, 0.025)


def _wave(rng: Generator, pixels: Plane, x: Plane, y: Plane, near: float) -> Plane:
    """One row of breakers over the picture; `near` runs from 0 (far) to 1 (at our feet)."""
    length = 0.16 + 0.3 * near
    phase, lean = rng.uniform(0, 6), 0.35 * near
    angle = 2 * np.pi * (x + lean * (y - near)) / length + phase
    height = 0.035 + 0.075 * near
    # Sharp crests and round troughs.
    crest = 1 - np.abs(np.sin(angle / 2)) ** 0.8 + 0.25 * np.sin(2.3 * angle + rng.uniform(0, 6))
    depth = (y - (0.14 + 0.78 * near) + height * crest) / height
    inside = _edge(depth, 0.02)
    tone = np.clip(depth / 2.6 + 0.15 * np.sin(angle), 0, 1)
    body = ramp(tone, WATER)
    body = blend(body, FOAM, 0.75 * _lines(depth * 3.2 + 0.4 * np.sin(angle), 0.22) * _edge(2.4 - depth, 0.5))
    body = blend(body, INK, 0.85 * _lines(depth * 3.2 + 0.5 + 0.4 * np.sin(angle), 0.12))
    fingers = 0.34 + 0.16 * np.abs(np.sin(3.5 * angle)) + 0.1 * np.abs(np.sin(8 * angle))
    body = blend(body, INK, _edge(fingers + 0.1 - depth, 0.03))
    body = blend(body, FOAM, _edge(fingers - depth, 0.03) * _edge(depth - 0.07, 0.03))
    return _spray(rng, blend(pixels, body, inside), depth)


def _spray(rng: Generator, pixels: Plane, depth: Plane) -> Plane:
    """Drops of foam just above the crests."""
    drops = noise(rng, len(pixels), 0.018) - 1.5 - 1.2 * np.abs(depth + 0.35)
    return blend(pixels, FOAM, _edge(drops, 0.15))


def _lines(value: Plane, thickness: float) -> Plane:
    """Lines where `value` is whole, as a share in 0..1; `thickness` is theirs in periods."""
    distance = np.abs(value - np.round(value))
    return _edge(thickness / 2 - distance, 0.05)


def _edge(value: Plane, softness: float) -> Plane:
    """1 where `value` is well above 0, 0 well below."""
    return np.asarray(np.clip(value / softness + 0.5, 0, 1))
