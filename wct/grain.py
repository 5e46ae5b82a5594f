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
    octaves = (_octave(window, k, torch.device(device)) for k in range(OCTAVES))
    return reduce(Tensor.add_, octaves).div_(math.sqrt(OCTAVES))


def _octave(window: Window, k: int, device: torch.device) -> Tensor:
    """Random numbers 2^k pixels apart, and between them what keeps the variance."""
    step, spans = 2**k, ((window.top, window.bottom), (window.left, window.right))
    rows, columns = (torch.arange(start // step, (stop - 1) // step + 2, device=device) for start, stop in spans)
    found = _random(rows[:, None], columns, k)
    for axis, (start, stop) in enumerate(spans):
        found = _between(found, axis, step).narrow(axis, start % step, stop - start)
    return found


def _between(x: Tensor, axis: int, step: int) -> Tensor:
    """From numbers at multiples of `step` along an axis to all, up to the last of them."""
    below, above = (x.narrow(axis, i, x.shape[axis] - 1) for i in (0, 1))
    if step == 1:
        return below
    share = torch.arange(step, device=x.device) / step
    share = share.square() * (3 - 2 * share)
    weights = torch.stack([1 - share, share]) / torch.hypot(1 - share, share)
    one, other = weights if axis else weights[..., None]
    mixed: Tensor = (one * below.unsqueeze(axis + 1)).add_(other * above.unsqueeze(axis + 1))
    return mixed.flatten(axis, axis + 1)


def _random(rows: Tensor, columns: Tensor, k: int) -> Tensor:
    """Numbers with mean 0 and variance 1 of places and an octave: a hash, so that none depends on another."""
    x = (rows * PLACE[0] & WHOLE) ^ (columns * PLACE[1] & WHOLE) ^ (k + 1) * PLACE[2]
    for shift, factor in MIX:
        x ^= x >> shift
        x *= factor
        x &= WHOLE
    x ^= x >> LAST
    return x.float().div_(2**31).sub_(1).mul_(math.sqrt(3))
