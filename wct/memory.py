"""How much memory there is, and how large the windows can be that fit into it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import psutil
import torch

from wct.errors import ModelError
from wct.models.spec import ModelSpec
from wct.windows import Size

__all__ = ["GRID", "SMALLEST", "choose_side", "free_memory", "pixel_bytes", "window_side"]

GRID = 32
"""Pixels of a picture to one of relu5_1, twice: windows, and halves of them, start at multiples of 16."""

SMALLEST = 64
"""Pixels: sides below it spend nearly all their time on margins."""

_ENOUGH = 2**30
"""Bytes for a window. Larger ones save less than a tenth of the time."""

_CGROUP = Path("/sys/fs/cgroup")


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on a device; on the CPU within the limit of a container, too."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = (int((_CGROUP / name).read_text()) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no cgroup of version 2, or one without a limit
        return free
    return min(free, limit - used)


def pixel_bytes(spec: ModelSpec, precision: torch.dtype = torch.float32) -> int:
    """Bytes per pixel of a picture in one piece: at full resolution the widest convolution's input, its padded copy and
    its output, and 1.3 times that as measured. ModelError where there are no decoders to make one with.
    """
    if not spec.stages:
        raise ModelError(f"model {spec.name!r} has no decoders; choose one that has, such as 'compact'")
    encoder, first, second = spec.encoder, *spec.stages[:2]
    trunk = [3, *encoder.widths[0]]
    chain = [encoder.channels(1), *first.low, *first.high, 3]
    above = [[encoder.channels(2), *second.low][-1], *second.high, encoder.channels(1)]
    refined = [(encoder.channels(1), hidden) for hidden in first.refine]
    layers = [*pairwise(trunk), *pairwise(chain), *pairwise(above), *refined]
    return round(1.3 * precision.itemsize * max(2 * wide + out for wide, out in layers))


def choose_side(
    size: Size, spec: ModelSpec, device: torch.device, precision: torch.dtype = torch.float32
) -> int | None:
    """The side of the windows for a picture of `size`, a multiple of 32; None where it fits into memory in one piece.

    Half of what is free is left alone: it is for the picture itself, and for others.
    """
    room = free_memory(device) // 2
    fits = size[0] * size[1] * pixel_bytes(spec, precision) <= room
    return None if fits else window_side(spec, room, precision)


def window_side(spec: ModelSpec, room: int = _ENOUGH, precision: torch.dtype = torch.float32) -> int:
    """The side of windows that take up to `room` bytes, and no more than makes them faster; a multiple of 32."""
    side = int((min(room, _ENOUGH) // pixel_bytes(spec, precision)) ** 0.5) - _MARGINS
    return max(SMALLEST, side // GRID * GRID)


_MARGINS = 160
"""Pixels: what the encoder reads beside a window, left and right together."""
