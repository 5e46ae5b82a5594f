"""Ceilings: the floating-point operations per second that this machine reaches at best."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import torch
from torch.nn import functional as F

from wct.bench.clock import Clock, best
from wct.devices import name_of
from wct.models.encoder import halved
from wct.models.spec import LEVELS, EncoderSpec

__all__ = ["ceilings", "convolution_shapes", "gain"]

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}

PROBE = (64, 64)
"""Channels and side of the convolution that says whether the processor gains from a dtype."""

Tell = Callable[[str], None]


def convolution_shapes(specs: Iterable[EncoderSpec], size: int) -> list[tuple[int, int]]:
    """(channels, side) of the typical 3x3 convolution of every block, for square pictures of side `size`."""
    return sorted({(spec.widths[k - 1][-1], halved((size, size), k)[0]) for spec in specs for k in LEVELS})


@torch.inference_mode()
def ceilings(
    specs: Iterable[EncoderSpec],
    size: int,
    clock: Clock,
    used: Collection[torch.dtype] = (),
    tell: Tell = lambda _: None,
) -> dict[str, Any]:
    """Rates in GFLOP/s of 3x3 convolutions as the models have them, and of matrix products; the best of several runs.

    Every layout is tried, and every dtype that is `used` or from which this processor gains; of matrices float64 too,
    in which maps are solved. "best" holds the highest of each kind and dtype.
    """
    dtypes = [dtype for dtype in DTYPES if dtype in (torch.float32, *used) or gain(dtype, clock) > 1]
    rows: list[dict[str, Any]] = []
    for channels, side in convolution_shapes(specs, size):
        tell(f"convolution {channels} x {side}")
        for dtype in dtypes:
            for layout in LAYOUTS:
                rate = _convolution(channels, side, dtype, layout, clock)
                rows.append(_row("convolution", f"{channels} channels, {side}x{side}", dtype, layout, rate))
    if clock.device.type != "mps":  # which has no float64
        dtypes.append(torch.float64)
    for side in (2048, 8192) if clock.device.type == "cuda" else (512, 1024):
        tell(f"matrix {side}")
        rates = ((dtype, _matrix(side, dtype, clock)) for dtype in dtypes)
        rows += [_row("matrix", f"{side}x{side}", dtype, "contiguous", rate) for dtype, rate in rates]
    return {"rows": rows, "best": {kind: dict(_best(rows, kind)) for kind in ("convolution", "matrix")}}


def _row(kind: str, shape: str, dtype: torch.dtype, layout: str, rate: float) -> dict[str, Any]:
    return {"kind": kind, "shape": shape, "dtype": name_of(dtype), "layout": layout, "gflop_per_s": round(rate, 2)}


def _best(rows: list[dict[str, Any]], kind: str) -> Iterator[tuple[str, float]]:
    found = [row for row in rows if row["kind"] == kind]
    for dtype in dict.fromkeys(row["dtype"] for row in found):
        yield dtype, max(row["gflop_per_s"] for row in found if row["dtype"] == dtype)


@torch.inference_mode()
def gain(dtype: torch.dtype, clock: Clock) -> float:
    """How many times as fast convolutions of that dtype are as those in float32 here, in the best layout of each."""
    try:
        rate, plain = (
            max(_convolution(*PROBE, one, layout, clock) for layout in LAYOUTS) for one in (dtype, torch.float32)
        )
    except RuntimeError:  # there are none of that dtype
        return 0.0
    return rate / plain


def _convolution(channels: int, side: int, dtype: torch.dtype, layout: str, clock: Clock) -> float:
    """GFLOP/s of a 3x3 convolution on a picture that is padded already."""
    order: Any = {"dtype": dtype, "memory_format": LAYOUTS[layout]}
    x = torch.rand(1, channels, side + 2, side + 2, device=clock.device).to(**order)
    weight = torch.rand(channels, channels, 3, 3, device=clock.device).to(**order)
    bias = torch.rand(channels, device=clock.device).to(dtype)
    seconds = best(lambda: F.conv2d(x, weight, bias), clock)
    return 2 * 9 * channels**2 * side**2 / seconds / 1e9


def _matrix(side: int, dtype: torch.dtype, clock: Clock) -> float:
    """GFLOP/s of a product of square matrices."""
    a, b = (torch.rand(side, side, device=clock.device).to(dtype) for _ in range(2))
    return 2 * side**3 / best(lambda: a @ b, clock) / 1e9
