"""One more pixel on each side of features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = ["surrounded"]

_DEPTHS = {"reflect": 1, "replicate": 0}
"""How far behind the border the pixels lie that are put around it."""


def surrounded(x: Tensor, mode: str) -> Tensor:
    """(N, C, H, W) to (N, C, H + 2, W + 2); `mode` is one of those of `torch.nn.functional.pad`, but constant."""
    if x.device.type == "cuda" and mode in _DEPTHS:
        around: Tensor = _Around.apply(x, _DEPTHS[mode])
        return around
    return F.pad(x, (1, 1, 1, 1), mode=mode)


class _Around(torch.autograd.Function):
    """Padding for CUDA, channels last, as convolutions compute there.

    torch's own is in the other order, and features are reordered before it and after it: with that a training step of
    vgg19's decoders took 58 ms on an H200, with this 43.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, depth: int) -> Tensor:
        ctx.depth = depth
        n, c, h, w = x.shape
        y = torch.empty((n, c, h + 2, w + 2), dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        y[..., 1:-1, 1:-1] = x
        for border, source in ((0, 1 + depth), (-1, -2 - depth)):
            y[..., border, 1:-1] = y[..., source, 1:-1]
        for border, source in ((0, 1 + depth), (-1, -2 - depth)):
            y[..., border] = y[..., source]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        depth = ctx.depth
        rows = grad[..., 1:-1].clone(memory_format=torch.preserve_format)
        rows[..., depth] += grad[..., 0]
        rows[..., -1 - depth] += grad[..., -1]
        inner = rows[..., 1:-1, :]
        inner[..., depth, :] += rows[..., 0, :]
        inner[..., -1 - depth, :] += rows[..., -1, :]
        return inner, None
