"""The one Decoder: a chain of stages, each from the features of a level to those of the level below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wct.models.encoder import convolve, halved
from wct.models.spec import LEVELS, ModelSpec

__all__ = ["Decoder", "Stage", "doubled"]


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
            x = F.relu(convolve(conv, x, wrap), inplace=True)
        first, *others = self.high
        x = convolve(first, x, wrap) if self.level == 1 else doubled(first, x, size, wrap)
        for conv in others:
            x = convolve(conv, F.relu(x, inplace=True), wrap)
        return x


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


def doubled(conv: nn.Conv2d, x: Tensor, size: tuple[int, int], wrap: bool = False) -> Tensor:
    """3x3 convolution of (N, C, h, w) that is first doubled by repetition and cut to `size`.

    Two of three neighbours are repetitions of one pixel, so that each quarter of the result is a 2x2 convolution of x:
    less than half the work, and nothing large to be repeated.
    """
    (height, width), (h, w) = size, x.shape[-2:]
    if min(size) == 1:  # where the padding repeats instead of mirroring
        return convolve(conv, _repeated(x)[..., :height, :width], wrap)
    y = _quarters(conv, F.pad(x, (1, 1, 1, 1), mode="circular" if wrap else "replicate"))[..., :height, :width]
    # An odd last row mirrors what lies two rows above it, which are not repetitions of each other.
    if height < 2 * h:
        y[..., -1:, :] = convolve(conv, _repeated(x[..., -2:, :])[..., :3, :width], wrap)[..., -1:, :]
    if width < 2 * w:
        y[..., -1:] = convolve(conv, _repeated(x[..., -2:])[..., :height, :3], wrap)[..., -1:]
    return y


def _repeated(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _quarters(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """What `conv` makes of x (N, C, h + 2, w + 2) doubled, without the doubled margin: (N, C', 2h, 2w)."""
    h, w = x.shape[-2] - 2, x.shape[-1] - 2
    y = None
    for i, row in enumerate(_halves(conv.weight, 2)):
        for j, weight in enumerate(_halves(row, 3)):
            # A row and a column more than the quarter has: a part of x would be copied first.
            part = F.conv2d(x, weight, conv.bias)
            if y is None:
                y = part.new_empty(len(x), 2 * h, 2 * w, conv.out_channels).movedim(-1, 1)
            y[..., i::2, j::2] = part[..., i : i + h, j : j + w]
    assert y is not None
    return y


def _halves(weight: Tensor, axis: int) -> Iterator[Tensor]:
    """The three taps along an axis as two on what is repeated: for the first of each pair of pixels and the second."""
    a, b, c = weight.unbind(axis)
    yield torch.stack([a, b + c], axis)
    yield torch.stack([a + b, c], axis)
