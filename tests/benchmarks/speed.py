"""How long one stylisation takes: wct against the original algorithm, in the same process, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from reference import Reference
from torch import Tensor
from torch.nn import functional as F

from wct import Model, Region, Stylizer
from wct.look import PHOTO
from wct.models import find
from wct.models.model import ENCODER

REFERENCE = "original algorithm, VGG-19"


def picture(size: int, seed: int) -> Tensor:
    """RGB (3, size, size) in 0..1: noise on every scale, so that no feature is flat."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, size, size)
    for exponent in range(1, size.bit_length()):
        noise = torch.rand(1, 3, 2**exponent, 2**exponent, generator=generator)
        total += F.interpolate(noise, (size, size), mode="bilinear") / exponent
    return (total - total.amin()).div(total.amax() - total.amin())[0]


def reference() -> tuple[Reference, str]:
    """The original algorithm with VGG-19's weights where they are installed, else random ones, and which."""
    if not find("vgg19").file(ENCODER).is_file():
        return Reference(), "random"
    return Reference(Model.load("vgg19").encoder.state_dict()), "VGG-19's"


def contenders(model: str | Path, size: int) -> tuple[dict[str, Callable[[], object]], str]:
    """What is timed, by name, and the kind of the reference's encoder weights."""
    content, style = picture(size, 1), picture(size, 2)
    plain, weights = reference()
    stylizer = Stylizer(model, device="cpu")
    saved = stylizer.style(style)
    name = stylizer.model.card.name
    runs: dict[str, Callable[[], object]] = {REFERENCE: partial(plain, content[None], style[None])}
    for mode in ("single", "cascade"):
        runs[f"{name}, {mode}, style picture"] = partial(stylizer, content, style, mode=mode)
        runs[f"{name}, {mode}, saved style"] = partial(stylizer, content, saved, mode=mode)
    four = [stylizer.style(picture(size, seed)) for seed in range(2, 6)]
    runs[f"{name}, single, 4 saved styles"] = partial(stylizer, content, stylizer.style(*four))
    regions = [Region(one, mask) for one, mask in zip(four, quarters(size), strict=True)]
    runs[f"{name}, single, 4 regions"] = partial(stylizer, content, regions)
    runs[f"{name}, photo, saved style"] = partial(stylizer, content, saved, look=PHOTO)
    return runs, weights


def quarters(size: int) -> Tensor:
    """Masks (4, size, size) of the quarters of a picture."""
    half = torch.arange(size) < size // 2
    return torch.stack([(half == top)[:, None] & (half == left) for top in (True, False) for left in (True, False)])


def measure(model: str | Path, size: int, repeats: int) -> dict[str, Any]:
    """Seconds per call, median and range over `repeats` rounds after one to warm up, and ratios of medians."""
    runs, weights = contenders(model, size)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn > 0:
                seconds[name].append(time.perf_counter() - start)
    base = median(seconds[REFERENCE])
    rows = [
        {
            "what": name,
            "median_s": round(median(times), 4),
            "min_s": round(min(times), 4),
            "max_s": round(max(times), 4),
            "times_faster": round(base / median(times), 2),
        }
        for name, times in seconds.items()
    ]
    return {"n": repeats, "reference_weights": weights, "rows": rows}
