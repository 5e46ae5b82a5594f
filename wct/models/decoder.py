"""The one Decoder: a chain of stages, each from the features of a level to those of the level below."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from wct.models.encoder import convolve, halved, padded
from wct.models.spec import LEVELS, ModelSpec

__all__ = ["Decoder", "Stage"]


class Stage(nn.Module):
    """Stage k: hidden convolutions `low`, an upsampling by 2, hidden convolutions `high`, a linear convolution.

    Stage 1 has no upsampling: relu1_1 has the picture's size.
    """

    def __init__(self, level: int, width: int, low: list[int], high: list[int], out: int) -> None:
        super().__init__()
        self.level = level
        ends = [width, *low, *high, out]
        convolutions = [nn.Conv2d(a, b, 3) for a, b in pairwise(ends)]
        self.low: Sequence[nn.Conv2d] = nn.ModuleList(convolutions[: len(low)])  # type: ignore[assignment]
        self.high: Sequence[nn.Conv2d] = nn.ModuleList(convolutions[len(low) :])  # type: ignore[assignment]

    @property
    def reach(self) -> tuple[int, int, int]:
        """How far a result looks: pixels before the upsampling, pixels after it, and the factor of the upsampling."""
        return len(self.low), len(self.high), 1 if self.level == 1 else 2

    def forward(self, x: Tensor, size: tuple[int, int], wrap: bool = False) -> Tensor:
        """(N, C_k, h, w) to (N, C_{k-1}, *size), `size` being 2h or 2h-1 by 2w or 2w-1."""
        for conv in self.low:
            x = padded(x, wrap)
            x = F.relu(conv(x), inplace=True)
        if self.level > 1:
            x = F.interpolate(x, scale_factor=2, mode="nearest")[..., : size[0], : size[1]]
        for conv in self.high[:-1]:
            x = padded(x, wrap)
            x = F.relu(conv(x), inplace=True)
        return convolve(self.high[-1], x, wrap)


class Decoder(nn.Module):
    """Five stages; the decoder of relu{k}_1 in the paper's sense is stages k to 1 composed.

    Departure: the paper trains five separate decoders. One chain is half their size and lets the
    transform step in between two stages (`Stage` output is a feature of the level below).
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        widths = [3, *map(spec.encoder.channels, LEVELS)]
        self.stages: Sequence[Stage] = nn.ModuleList(  # type: ignore[assignment]
            Stage(level, widths[level], stage.low, stage.high, widths[level - 1])
            for level, stage in enumerate(spec.stages, 1)
        )

    def step(self, x: Tensor, level: int, picture: tuple[int, int], wrap: bool = False) -> Tensor:
        """Features of `level` to those of `level - 1` (RGB at level 1), for a picture of height and width `picture`.

        With `wrap` the picture is a tile whose opposite edges meet.
        """
        y: Tensor = self.stages[level - 1](x, halved(picture, max(1, level - 1)), wrap)
        return y

    def forward(self, x: Tensor, level: int, picture: tuple[int, int]) -> Tensor:
        """Features (N, C, h, w) of `level` to a picture (N, 3, *picture), RGB around 0..1, not clamped."""
        for k in range(level, 0, -1):
            x = self.step(x, k, picture)
        return x
