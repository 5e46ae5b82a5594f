"""Features of about unit size, for encoders that have none: VGG-19's reach thousands, where Adam's steps do not fit."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.spec import LEVELS

__all__ = ["rescale", "sizes"]


@torch.no_grad()
def sizes(encoder: Encoder, pictures: Tensor) -> Tensor:
    """How large the features of each level are, (5,): the root of their mean variance over (N, 3, H, W) in 0..1."""
    found = [encoder(some, LEVELS) for some in torch.split(pictures, 8)]
    return torch.stack(
        [torch.stack([x[level].float().var((0, 2, 3)).mean() for x in found]).mean().sqrt() for level in LEVELS]
    ).cpu()


@torch.no_grad()
def rescale(encoder: Encoder, decoder: Decoder, factors: Sequence[float]) -> None:
    """Multiply the features of level k by factors[k-1], and change the decoders so that they make the same pictures.

    Exact for an encoder without heads, as ReLU and pooling let positive factors through. Hidden channels of the
    decoders take the geometric mean of the factors around them, so that no weight gets too small for float16.
    """
    scale = {0: 1.0} | dict(zip(LEVELS, factors, strict=True))
    before = 1.0
    for name, conv in encoder.layers():
        after = scale[int(name[0])] if name.endswith("_1") else 1.0
        _multiply(conv, after / before, after)
        before = after
    for stage in decoder.stages:
        convolutions = [*stage.low, *stage.high]
        before = scale[stage.level]
        last = scale[stage.level - 1] if stage.again is None else 1.0
        for conv in convolutions:
            after = last if conv is convolutions[-1] else (scale[stage.level] * last) ** 0.5
            _multiply(conv, after / before, after)
            before = after
        if stage.given is not None:
            _multiply(stage.given, 1 / scale[stage.level], 1.0)
        if stage.again is not None:
            _multiply(stage.again, scale[stage.level - 1], scale[stage.level - 1])


def _multiply(conv: torch.nn.Conv2d, weight: float, bias: float) -> None:
    conv.weight *= weight
    assert conv.bias is not None
    conv.bias *= bias
