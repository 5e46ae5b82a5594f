"""Grain: what a photo's flat areas lack. A map makes strokes of what varies; a clear sky varies by almost nothing."""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

from wct.fields import Combined, Field
from wct.models.spec import LEVELS
from wct.windows import Window

__all__ = ["LAST", "MIX", "OCTAVES", "PLACE", "WHOLE", "grain", "grained"]

OCTAVES = len(LEVELS)
"""Grains of 1, 2, … 16 pixels: as large as what one feature of each level stands for."""

WHOLE = 2**32 - 1
PLACE = (0x1E3779B1, 0x45EBCA77, 0x42B2AE3D)
MIX = ((16, 0x7FEB352D), (15, 0x46CA68B5))
LAST = 16
"""The hash: factors of row, column and octave; shifts and factors that mix the bits well enough for the eye, and a last
shift. With factors below 2^31 all products stay within int64."""


def grained(pixels: Field, amount: float) -> Field:
    """The pixels (1, 3, H, W) with a grain of this standard deviation, in their own units; not clamped.

    Every channel takes the same, so that greys stay grey. A pixel's grain depends on nothing but where it is: windows
    show what the whole would, and the frames of a film have the same.
    """
    if amount == 0:
        return pixels
    return Combined((pixels,), lambda window, x: x + amount * grain(window, x.device).to(x.dtype))


def grain(window: Window, device: torch.device | str = "cpu") -> Tensor:
    """Noise (h, w), float32, with mean 0 and variance 1 everywhere, alike on every device."""
    octaves = [_octave(window, k, torch.device(device)) for k in range(OCTAVES)]
    return reduce(torch.add, octaves) / math.sqrt(OCTAVES)


def _octave(window: Window, k: int, device: torch.device) -> Tensor:
    """Random numbers 2^k pixels apart, and between them what keeps the variance."""
    step = 2**k
    rows, columns = (
        torch.arange(start // step, (stop - 1) // step + 2, device=device)
        for start, stop in ((window.top, window.bottom), (window.left, window.right))
    )
    found = _random(rows[:, None], columns, k)
    return _between(_between(found, window.top, window.bottom, step).mT, window.left, window.right, step).mT


def _between(x: Tensor, start: int, stop: int, step: int) -> Tensor:
    """Rows start … stop - 1 from those at multiples of `step`."""
    share = torch.arange(step, device=x.device) / step
    share = share.square() * (3 - 2 * share)
    weights = torch.stack([1 - share, share]) / torch.hypot(1 - share, share)
    at = torch.arange(start, stop, device=x.device)
    below, (one, other) = at // step - start // step, weights[:, at % step, None]
    mixed: Tensor = one * x[below] + other * x[below + 1]
    return mixed


def _random(rows: Tensor, columns: Tensor, k: int) -> Tensor:
    """Numbers with mean 0 and variance 1 of places and an octave: a hash, so that none depends on another."""
    x = (rows * PLACE[0] & WHOLE) ^ (columns * PLACE[1] & WHOLE) ^ (k + 1) * PLACE[2]
    for shift, factor in MIX:
        x = (x ^ (x >> shift)) * factor & WHOLE
    even: Tensor = (x ^ (x >> LAST)).float() / 2**31 - 1
    return even * math.sqrt(3)
