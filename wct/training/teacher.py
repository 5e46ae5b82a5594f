"""The teacher: VGG-19's features in their leading eigenbasis, what a student's heads learn to give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from wct.gaussian import Gaussian, merge
from wct.models.encoder import Encoder
from wct.models.spec import LEVELS

__all__ = ["Teacher", "pooled"]


def pooled(encoder: Encoder, pictures: Iterable[Tensor]) -> dict[int, Gaussian]:
    """The statistics of the features of all pixels of batches of pictures (N, 3, H, W), by level."""
    found: dict[int, list[Gaussian]] = {level: [] for level in LEVELS}
    for batch in pictures:
        for level, features in encoder(batch, LEVELS).items():
            found[level].append(Gaussian.of(features.transpose(0, 1).flatten(1).float()))
    return {level: merge(parts) for level, parts in found.items()}


class Teacher(nn.Module):
    """VGG-19 followed, at each level, by the projection onto its `ranks[level-1]` leading principal components.

    Projected features are centred over the pictures that `fit` saw, and scaled per level so that their channels
    have unit variance on average: a mean squared error on them is a share of the projected variance.
    The scale is one number per level, which whitening-and-coloring ignores; the relative spectrum is VGG's.
    """

    def __init__(self, vgg: Encoder, ranks: Sequence[int]) -> None:
        super().__init__()
        self.vgg = vgg
        self.bases = nn.ModuleList(
            nn.Conv2d(vgg.spec.channels(level), rank, 1) for level, rank in zip(LEVELS, ranks, strict=True)
        )
        self.requires_grad_(False)

    @torch.no_grad()
    def fit(self, pictures: Sequence[Tensor]) -> None:
        """Set the bases from batches of pictures (N, 3, H, W)."""
        for level, whole in pooled(self.vgg, pictures).items():
            basis: nn.Conv2d = self.bases[level - 1]  # type: ignore[assignment]
            weight = whole.components(basis.out_channels) / whole.spectrum[: basis.out_channels].mean().sqrt()
            basis.weight.copy_(weight[:, :, None, None])
            assert basis.bias is not None
            basis.bias.copy_(-weight @ whole.mean)

    def forward(self, x: Tensor) -> dict[int, Tensor]:
        """Targets {level: (N, rank, h, w)} of pictures (N, 3, H, W)."""
        return {level: self.bases[level - 1](y) for level, y in self.vgg(x, LEVELS).items()}
