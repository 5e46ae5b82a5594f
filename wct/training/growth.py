"""A larger chain of decoders that begins as a smaller one: it makes the same pictures until it is trained."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from wct.models.decoder import Decoder
from wct.models.spec import ModelSpec, StageSpec

__all__ = ["grown", "has_room"]


def has_room(larger: Sequence[StageSpec], smaller: Sequence[StageSpec]) -> bool:
    """Whether the one chain can begin as the other: the same but for more, or wider, `low` and `high`."""
    return all(map(_has_room, larger, smaller))


def _has_room(larger: StageSpec, smaller: StageSpec) -> bool:
    if (larger.refine, larger.picture) != (smaller.refine, smaller.picture) or len(larger.high) != len(smaller.high):
        return False
    # More convolutions than the smaller one has begin as wide as its last, and where that has none they cannot.
    more = smaller.low[-1:] * (len(larger.low) - len(smaller.low))
    own, before = [*larger.low, *larger.high], [*smaller.low, *more, *smaller.high]
    return len(own) == len(before) and all(a >= b for a, b in zip(own, before, strict=True))


@torch.no_grad()
def grown(smaller: Decoder, spec: ModelSpec, seed: int) -> Decoder:
    """The chain of `spec`, which `has_room` for the smaller one, with its weights.

    New channels take in something, at random, and give nothing on; new convolutions of `low` pass on what comes, which
    ReLU has left positive (Chen, Goodfellow & Shlens 2016, "Net2Net").
    """
    generator = torch.Generator().manual_seed(seed)
    larger = Decoder(spec)
    for stage, old in zip(larger.stages, smaller.stages, strict=True):
        names = dict(old.named_modules())
        inputs = 0
        for name, conv in stage.named_modules():
            if not isinstance(conv, nn.Conv2d):
                continue
            known = names.get(name)
            if not isinstance(known, nn.Conv2d):
                known = _passing(inputs)
            inputs = known.out_channels
            _fill(conv, known, generator)
    return larger


def _passing(channels: int) -> nn.Conv2d:
    conv = nn.Conv2d(channels, channels, 3)
    nn.init.dirac_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


def _fill(conv: nn.Conv2d, known: nn.Conv2d, generator: torch.Generator) -> None:
    """Write a smaller convolution into the first channels, and let no others reach them."""
    assert conv.bias is not None and known.bias is not None
    rows, columns = known.weight.shape[:2]
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(conv.bias)
    conv.weight[:rows] = 0
    conv.weight[:rows, :columns] = known.weight.to(conv.weight)
    conv.bias[:rows] = known.bias.to(conv.bias)
