"""What other looks cost: blends, regions, modes, in times of the plain one, in the same process, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from wct import Region, Stylizer
from wct.bench.work import noise_picture
from wct.look import PHOTO

PLAIN = "single, one style"


def contenders(model: str | Path, size: int) -> dict[str, Callable[[], object]]:
    """What is timed, by name; all styles were measured before."""
    stylizer, content = Stylizer(model, device="cpu"), noise_picture(size, 1)
    four = [stylizer.style(noise_picture(size, seed)) for seed in range(2, 6)]
    regions = [Region(one, mask) for one, mask in zip(four, quarters(size), strict=True)]
    return {
        PLAIN: partial(stylizer, content, four[0]),
        "cascade": partial(stylizer, content, four[0], mode="cascade"),
        "photo": partial(stylizer, content, four[0], look=PHOTO),
        "4 styles": partial(stylizer, content, stylizer.style(*four)),
        "4 regions": partial(stylizer, content, regions),
    }


def quarters(size: int) -> Tensor:
    """Masks (4, size, size) of the quarters of a picture."""
    half = torch.arange(size) < size // 2
    return torch.stack([(half == top)[:, None] & (half == left) for top in (True, False) for left in (True, False)])


def measure(model: str | Path, size: int, repeats: int) -> dict[str, Any]:
    """Seconds per call, median and range over `repeats` rounds after one to warm up, and ratios of medians."""
    runs = contenders(model, size)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn > 0:
                seconds[name].append(time.perf_counter() - start)
    base = median(seconds[PLAIN])
    rows = [
        {
            "what": name,
            "median_s": round(median(times), 4),
            "min_s": round(min(times), 4),
            "max_s": round(max(times), 4),
            "times_the_plain": round(median(times) / base, 2),
        }
        for name, times in seconds.items()
    ]
    return {"n": repeats, "rows": rows}
