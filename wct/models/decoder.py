"""The one Decoder: a chain of stages, each from the features of a level to those of the level below."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from wct.models.encoder import convolve, halved
from wct.models.spec import ModelSpec

__all__ = ["Decoder", "Stage"]


class Stage(nn.Module):
    """Stage k: hidden convolutions `low`, an upsampling by 2, hidden convolutions `high`, a linear convolution.

    Stage 1 has no upsampling: relu1_1 has the picture's size.
    """

    def __init__(self, level: int, width: int, low: list[int], high: list[int], out: int) -> None:
        super().__init__()
        self.level = level
        self.low = nn.ModuleList()
        self.high = nn.ModuleList()
        for group, widths in ((self.low, low), (self.high, [*high, out])):
            for w in widths:
                group.append(nn.Conv2d(width, w, 3))
                width = w

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(N, C_k, h, w) to (N, C_{k-1}, *size), `size` being 2h or 2h-1 by 2w or 2w-1."""
        for conv in self.low:
            x = F.relu(convolve(conv, x))
        if self.level > 1:
            x = F.interpolate(x, scale_factor=2, mode="nearest")[..., : size[0], : size[1]]
        for conv in self.high[:-1]:
            x = F.relu(convolve(conv, x))
        return convolve(self.high[-1], x)


class Decoder(nn.Module):
    """Five stages; the decoder of relu{k}_1 in the paper's sense is stages k to 1 composed.

    Departure: the paper trains five separate decoders. One chain is half their size and lets the
    transform step in between two stages (`Stage` output is a feature of the level below).
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        for level, stage in enumerate(spec.stages, 1):
            out = 3 if level == 1 else spec.encoder.channels(level - 1)
            self.stages.append(Stage(level, spec.encoder.channels(level), stage.low, stage.high, out))

    def step(self, x: Tensor, level: int, picture: tuple[int, int]) -> Tensor:
        """Features of `level` to those of `level - 1` (RGB at level 1), for a picture of height and width `picture`."""
        y: Tensor = self.stages[level - 1](x, halved(picture, max(1, level - 1)))
        return y

    def forward(self, x: Tensor, level: int, picture: tuple[int, int]) -> Tensor:
        """Features (N, C, h, w) of `level` to a picture (N, 3, *picture), RGB around 0..1, not clamped."""
        for k in range(level, 0, -1):
            x = self.step(x, k, picture)
        return x
