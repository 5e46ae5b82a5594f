"""Linocut: hills under a low sun, cut in black with one red block on cream paper."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from wct.samples.canvas import Plane, blend, coordinates, noise, paper, tint

__all__ = ["linocut"]

PAPER, INK, RED = tint("#f1e7d0"), tint("#17130f"), tint("#c2371f")
HILLS = 6


def linocut(rng: Generator, size: int) -> Plane:
    """(size, size, 3) in 0..1."""
    x, y = coordinates(size)
    wobble = 0.004 * noise(rng, size, 0.06)
    x, y = x + wobble, y + 0.004 * noise(rng, size, 0.06)
    distance = np.hypot(x - 0.62, y - 0.3)
    angle = np.arctan2(y - 0.3, x - 0.62)
    # The sky: rings around the sun that grow thinner with the distance.
    ink = _cut(distance * 34 + 0.25 * np.sin(9 * angle), 0.16 + 0.55 * distance)
    ink = np.where(distance < 0.165, 0.0, ink)
    red = (distance < 0.15) * (1 - 0.8 * _cut(angle * 14 / np.pi, np.clip(0.9 * (distance - 0.06) / 0.09, 0, 0.55)))
    for hill in range(HILLS):
        ink, red = _hill(rng, ink, red, x, y, hill)
    worn = np.clip(0.94 + 0.08 * noise(rng, size, 0.006), 0.6, 1)
    sheet = np.broadcast_to(PAPER, (size, size, 3))
    return paper(rng, blend(blend(sheet, RED, red * worn), INK, ink * worn), 0.02)


def _hill(rng: Generator, ink: Plane, red: Plane, x: Plane, y: Plane, hill: int) -> tuple[Plane, Plane]:
    """One hill over the picture: a black outline, then furrows that follow its shape."""
    top = 0.46 + 0.095 * hill
    a, b, c = rng.uniform(0, 6, 3)
    line = top + 0.07 * np.sin(4 * x + a) + 0.025 * np.sin(11 * x + b) - 0.02
    slope = 0.28 * np.cos(4 * x + a) + 0.27 * np.cos(11 * x + b)
    depth = y - line
    inside = depth > 0
    side = np.clip(0.5 + 1.1 * slope, 0.12, 0.88)
    match hill % 3:
        case 0:
            furrows = _cut(depth * 46 + 1.5 * np.sin(6 * x + c), side)
        case 1:
            furrows = _cut(x * 30 + 9 * depth + 0.8 * np.sin(20 * depth + c), side + 1.2 * depth)
        case _:
            furrows = np.maximum(_cut((x + y) * 26 + c, 0.45 * side), _cut((x - 1.4 * y) * 26, 0.55 * side + depth))
    outline = np.clip((0.009 - depth) / 0.002, 0, 1)
    return np.where(inside, np.maximum(furrows, outline), ink), np.where(inside, 0.0, red)


def _cut(value: Plane, share: Plane) -> Plane:
    """Lines, one per unit of `value`, whose black covers `share` of the period."""
    distance = np.abs(value - np.round(value)) * 2
    return np.asarray(np.clip((share - distance) / 0.16 + 0.5, 0, 1))
