"""What a visitor may ask for, and what they did ask for."""

from __future__ import annotations

from dataclasses import dataclass

from wct.look import Look

__all__ = ["DEFAULT_SIDE", "LEAST_SIDE", "MOST_STYLES", "Limits", "Settings"]

MOST_STYLES = 4
LEAST_SIDE, DEFAULT_SIDE = 64, 768
"""Pixels: short sides of the smallest results, and of those to begin with, which take seconds without a GPU."""


@dataclass(frozen=True)
class Limits:
    """What is refused.

    Attributes:
        bytes: more in one file.
        pixels: more in one picture that is given or made.
        side: a longer short side of a result.
    """

    bytes: int = 32 * 2**20
    pixels: int = 24_000_000
    side: int = 2160


@dataclass(frozen=True)
class Settings:
    """What the controls say.

    Attributes:
        weights: one for each place for a style, `MOST_STYLES` of them.
        look: strength, grain, levels and colours.
        size: short side of the result in pixels.
    """

    weights: tuple[float, ...]
    look: Look
    size: int
