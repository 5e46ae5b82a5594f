"""Heads with fewer channels: they keep the directions in which features vary most, and decoders do without the rest."""

from __future__ import annotations

import torch
from torch import Tensor

from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.spec import LEVELS, EncoderSpec, ModelSpec
from wct.training.teacher import pooled

__all__ = ["can_narrow", "narrowed", "turned"]


def can_narrow(wider: EncoderSpec, narrower: EncoderSpec) -> bool:
    """Whether the one can become the other: the same but for heads with fewer channels."""
    if wider.widths != narrower.widths or len(wider.ranks) != len(narrower.ranks):
        return False
    return all(a >= b for a, b in zip(wider.ranks, narrower.ranks, strict=True))


@torch.no_grad()
def narrowed(
    encoder: Encoder, decoder: Decoder, spec: ModelSpec, pictures: Tensor
) -> tuple[Encoder, Decoder, dict[int, Tensor]]:
    """A model whose features are the leading principal components of those of a wider one.

    Its decoders make of them what they made of features at their mean along all other directions.

    Args:
        encoder: has heads, which `can_narrow` to those of `spec`.
        decoder: its decoders, with the stages of `spec`.
        spec: says how many components each level keeps.
        pictures: (N, 3, H, W), RGB in 0..1: over these features vary.

    Returns:
        On the CPU encoder and decoders, and {level: (C', C)}, the components in orthonormal rows.
    """
    bases, means = {}, {}
    for level, gaussian in pooled(encoder, torch.split(pictures, 8)).items():
        gaussian = gaussian.to("cpu")
        rows = bases[level] = gaussian.components(spec.encoder.channels(level))
        means[level] = gaussian.mean - rows.T @ (rows @ gaussian.mean)
    body, chain = Encoder(spec.encoder), Decoder(spec)
    body.load_state_dict(
        {
            name: turned(bases[int(name[4])], tensor) if name.startswith("head") else tensor
            for name, tensor in encoder.state_dict().items()
        }
    )
    for level, stage, old in zip(LEVELS, chain.stages, decoder.stages, strict=True):
        convolutions = [*old.low, *old.high]
        for ours, theirs in zip([*stage.low, *stage.high], convolutions, strict=True):
            assert theirs.bias is not None
            weight, bias = (x.cpu().double() for x in (theirs.weight, theirs.bias))
            if theirs is convolutions[0]:
                bias = bias + weight.sum((2, 3)) @ means[level]
                weight = torch.einsum("oihw,ci->ochw", weight, bases[level])
            if theirs is convolutions[-1] and level > 1:
                weight, bias = (turned(bases[level - 1], x) for x in (weight, bias))
            ours.load_state_dict({"weight": weight, "bias": bias})
    return body, chain, bases


def turned(basis: Tensor, x: Tensor) -> Tensor:
    """The components (C', ...) of what has channels first, (C, ...)."""
    made: Tensor = torch.tensordot(basis, x.cpu().double(), 1)
    return made.to(x.dtype)
