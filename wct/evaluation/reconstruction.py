"""How well a model gives back what it has encoded, without any transform: the ceiling of every stylisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor

from wct.errors import InputError
from wct.images import read
from wct.images.label import label
from wct.linalg import at, finite
from wct.models import Model
from wct.models.spec import LEVELS

__all__ = ["psnr", "reconstruction"]

BEST = 100.0
"""PSNR in dB of equal pictures, which would be infinite: far above the 59 dB that rounding to 8 bits leaves."""


def psnr(picture: Tensor, wanted: Tensor) -> float:
    """Peak signal-to-noise ratio, 10 log10(1 / mean squared error), in dB; at most 100.

    Args:
        picture, wanted: of the same shape, finite, with 1 as the peak: RGB in 0..1.
    """
    error = float((picture.double() - wanted.double()).square().mean())
    return min(BEST, -10 * math.log10(error)) if error > 0 else BEST


def reconstruction(
    model: Model, pictures: Sequence[Path], size: int, progress: Callable[[int, int], None] = lambda *_: None
) -> dict[str, Any]:
    """PSNR in dB per level of pictures that are encoded, decoded and clamped to RGB in 0..1, for JSON.

    Args:
        model: a model with decoders.
        pictures: files; each is resized, antialiased, up or down, to
        size: its short side, in pixels. Transparency is ignored.
        progress: called with (done, total) after every picture.

    Returns:
        `{"model": name, "n": n, "size": size, "levels": {"relu1_1": {"psnr_median": …, "psnr_min": …,
        "psnr_mean": …}, …}, "pictures": {path: {"relu1_1": …, …}, …}}`.

    Raises:
        InputError: there is no picture, or one cannot be read.
        ModelError: the model has no decoders.
        UsageError: size is below 1.
        NumericsError: a decoded picture is not finite.
    """
    if not pictures:
        raise InputError("no pictures to reconstruct; name a folder that holds some")
    measured: dict[str, dict[str, float]] = {}
    for done, path in enumerate(pictures, 1):
        measured[label(path)] = _measure(model, path, size)
        progress(done, len(pictures))
    levels = {name: _summary([row[name] for row in measured.values()]) for name in map(_name, LEVELS)}
    return {"model": model.card.name, "n": len(measured), "size": size, "levels": levels, "pictures": measured}


@torch.inference_mode()
def _measure(model: Model, path: Path, size: int) -> dict[str, float]:
    decoder = model.decoder
    picture = read(path).resized(size)
    wanted = picture.rgb[None].to(model.device)
    features = model.encoder(wanted, LEVELS)
    found = {}
    for level in LEVELS:
        with at(picture.name, _name(level), "decode"):
            pixels = finite(decoder(features.pop(level), level, picture.size), "the picture")
        found[_name(level)] = round(psnr(pixels.clamp(0, 1).cpu(), picture.rgb[None].cpu()), 3)
    return found


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {"psnr_median": round(median(values), 3), "psnr_min": min(values), "psnr_mean": round(fmean(values), 3)}


def _name(level: int) -> str:
    return f"relu{level}_1"
