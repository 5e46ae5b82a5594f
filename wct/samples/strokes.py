"""Strokes: a night sky in thick paint, brushed along its own whirls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from wct.samples.canvas import Plane, coordinates, noise, ramp

__all__ = ["strokes"]

NIGHT = ("#0b1436", "#142a6b", "#1f4f9e", "#3f83c4", "#8fbfd6", "#d8dfae", "#f3d45c", "#f6b32e")
LAND = ("#0d1f1c", "#1e3b2c", "#33592f", "#5d7a35", "#20304f")
STARS = (
    (0.24, 0.2, 0.12),
    (0.68, 0.14, 0.09),
    (0.55, 0.46, 0.17),
    (0.88, 0.4, 0.08),
    (0.12, 0.55, 0.08),
    (0.85, 0.68, 0.06),
)
"""(x, y, radius) of the lights."""

FINER = 2
"""Painted this much larger and reduced, for smooth edges."""


LAYERS = ((0.024, 1800), (0.016, 3600), (0.01, 3600))
"""(width, number) of the strokes, from the ground up."""

BRISTLES, STEPS = 4, 7


def strokes(rng: Generator, size: int) -> Plane:
    """(size, size, 3) in 0..1."""
    flow, glow, land = _scene(rng, size)
    side = size * FINER
    image = Image.new("RGB", (side, side), NIGHT[1])
    draw = ImageDraw.Draw(image)
    for x, y, radius in STARS:  # what the strokes that wind around them leave bare
        draw.circle((x * side, y * side), 0.3 * radius * side, fill=NIGHT[-1])
    for width, count in LAYERS:
        paths = _paths(flow, rng.random((count, 2)), width * 0.75)
        middle = paths[:, STEPS // 2]
        tones = _at(glow, middle) + rng.normal(0, 0.075, count)
        sky = ramp(np.clip(tones, 0, 1), NIGHT)
        colours = np.where(_at(land, middle)[:, None], ramp(rng.random(count), LAND), sky)
        _brush(rng, draw, paths * side, colours + rng.normal(0, 0.025, (count, 3)), width * side)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX), np.float64) / 255


def _scene(rng: Generator, size: int) -> tuple[Plane, Plane, NDArray[np.bool_]]:
    """Direction (radians), tone (0 dark … 1 light) and where there is land, each (size, size)."""
    x, y = coordinates(size)
    u = 1 + 0.25 * noise(rng, size, 0.3)
    v = 0.45 * noise(rng, size, 0.25)
    glow = 0.2 + 0.09 * noise(rng, size, 0.12)
    for number, (sx, sy, radius) in enumerate(STARS):
        sense = (-1) ** number
        dx, dy = x - sx, y - sy
        distance = np.hypot(dx, dy)
        # Towards the heart of a light the strokes wind inwards, and cover it.
        pull = 3.2 * np.exp(-((distance / (1.7 * radius)) ** 2))
        inwards = 0.25 * pull * np.exp(-distance / (0.3 * radius))
        turn_u, turn_v = -sense * pull * dy - inwards * dx, sense * pull * dx - inwards * dy
        u, v = u + turn_u / (distance + 0.02), v + turn_v / (distance + 0.02)
        rings = 0.12 * np.cos(40 * distance) * np.exp(-distance / radius)
        glow = glow + 0.85 * np.exp(-((distance / (0.55 * radius)) ** 1.6)) + rings
    hills = 0.83 - 0.09 * np.sin(5 * x + 1) - 0.035 * np.sin(13 * x)
    land = y > hills
    u = np.where(land, 1.0, u)
    v = np.where(land, -0.6 * np.cos(5 * x + 1) + 0.3 * noise(rng, size, 0.1), v)
    return np.arctan2(v, u), glow, land


def _at(field: NDArray[Any], points: Plane) -> NDArray[Any]:
    """The field (size, size) at points (n, 2) in 0..1."""
    column, row = np.clip((points * len(field)).astype(int), 0, len(field) - 1).T
    found: NDArray[Any] = field[row, column]
    return found


def _paths(flow: Plane, points: Plane, step: float) -> Plane:
    """Paths (n, STEPS, 2) in 0..1 along the flow, through points (n, 2)."""
    paths = []
    for _ in range(STEPS):
        paths.append(points)
        angle = _at(flow, points)
        points = points + step * np.stack([np.cos(angle), np.sin(angle)], -1)
    return np.stack(paths, 1)


def _brush(rng: Generator, draw: ImageDraw.ImageDraw, paths: Plane, colours: Plane, width: float) -> None:
    """Strokes of bristles side by side, light at one edge and dark at the other, as thick paint catches light."""
    along = paths[:, -1] - paths[:, 0]
    across = np.stack([-along[:, 1], along[:, 0]], -1) / (np.hypot(*along.T)[:, None] + 1e-9)
    place = np.linspace(-0.4, 0.4, BRISTLES)
    light = 1 - 0.45 * place + rng.normal(0, 0.05, (len(paths), BRISTLES))
    inks = (np.clip(colours[:, None] * light[..., None], 0, 1) * 255).astype(int).tolist()
    lines = paths[:, None] + (across[:, None] * (place * width)[:, None])[:, :, None]
    thickness = max(1, round(1.5 * width / BRISTLES))
    # Bristles leave the canvas a little earlier or later than their neighbours.
    ends = rng.integers(STEPS - 2, STEPS + 1, (len(paths), BRISTLES)).tolist()
    for stroke in zip(lines.reshape(len(paths), BRISTLES, -1).tolist(), inks, ends, strict=True):
        for line, ink, end in zip(*stroke, strict=True):
            draw.line(line[: 2 * end], fill=tuple(ink), width=thickness)
