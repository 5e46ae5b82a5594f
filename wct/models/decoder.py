"""The one Decoder: a chain of stages, each from the features of a level to those of the level below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wct.models.encoder import Taps, convolve, halved, unpadded, weights
from wct.models.padding import surrounded
from wct.models.spec import LEVELS, ModelSpec, StageSpec

__all__ = ["Affine", "Decoder", "Stage", "doubled"]

Affine = tuple[Tensor, Tensor]
"""A (C, C) and b (C,) of a map A x + b on features."""


class Stage(nn.Module):
    """Stage k: hidden convolutions `low`, an upsampling by 2, hidden convolutions `high`, a linear convolution.

    Stage 1 has no upsampling: relu1_1 has the picture's size. What it makes is then refined, once for each number in
    `refine`: a hidden convolution of so many channels looks at the picture, and from these and the features comes
    another one, linearly. For the features are linear in the picture but for what ReLU has cut off, which the hidden
    channels put back, as far as the picture is known already: every refinement knows it better.

    With `picture` stage 2 makes a picture, and gives the relu1_1 of that: features that some picture has.

    Attributes:
        level: k.
        precision: in which it computes; None for that of the features.
    """

    def __init__(self, level: int, width: int, spec: StageSpec, out: int) -> None:
        super().__init__()
        self.level = level
        self.precision: torch.dtype | None = None
        ends = [width, *spec.low, *spec.high, 3 if spec.picture else out]
        convolutions = [nn.Conv2d(a, b, 3) for a, b in pairwise(ends)]
        self.low = _several(convolutions[: len(spec.low)])
        self.high = _several(convolutions[len(spec.low) :])
        self.look = _several(nn.Conv2d(out, hidden, 3) for hidden in spec.refine)
        self.change = _several(nn.Conv2d(hidden, out, 3) for hidden in spec.refine)
        # What the features have to say in each refinement, in one convolution.
        self.given = nn.Conv2d(width, out * len(spec.refine), 3) if spec.refine else None
        self.again = nn.Conv2d(3, out, 3) if spec.picture else None

    @property
    def reach(self) -> tuple[int, int, int]:
        """How far a result looks: pixels before the upsampling, pixels after it, and the factor of the upsampling."""
        after = len(self.high) + 2 * len(self.look) + (self.again is not None)
        return len(self.low), after, 1 if self.level == 1 else 2

    def forward(self, x: Tensor, size: tuple[int, int], wrap: bool = False, affine: Affine | None = None) -> Tensor:
        """(N, C_k, h, w) to (N, C_{k-1}, *size), `size` being 2h or 2h-1 by 2w or 2w-1.

        With `affine` what it makes of A x + b, for the features x of every pixel.
        """
        x = x.to(self.precision or x.dtype)
        y = self.refined(self.made(x, size, wrap, affine), x, len(self.look), wrap, affine)
        return y if self.again is None else F.relu(convolve(self.again, y, wrap), inplace=True)

    def made(self, x: Tensor, size: tuple[int, int], wrap: bool = False, affine: Affine | None = None) -> Tensor:
        """As `forward`, but before refinements; where the stage makes a picture, that."""
        begin, *rest = [*self.low, *self.high]
        convolutions = [after(begin, affine), *rest]
        for conv in convolutions[: len(self.low)]:
            x = F.relu(convolve(conv, x, wrap), inplace=True)
        first, *others = convolutions[len(self.low) :]
        x = convolve(first, x, wrap) if self.level == 1 else doubled(first, x, size, wrap)
        for conv in others:
            x = convolve(conv, F.relu(x, inplace=True), wrap)
        return x

    def refined(self, made: Tensor, x: Tensor, times: int, wrap: bool = False, affine: Affine | None = None) -> Tensor:
        """What stage 1 has made of features x, after the first so many refinements."""
        if self.given is None:
            return made
        given = convolve(after(self.given, affine), x, wrap).chunk(len(self.look), 1)
        for look, change, part in list(zip(self.look, self.change, given, strict=True))[:times]:
            made = part + convolve(change, F.relu(convolve(look, made, wrap), inplace=True), wrap)
        return made


class Decoder(nn.Module):
    """Five stages; the decoder of relu{k}_1 in the paper's sense is stages k to 1 composed.

    Departure: the paper trains five separate decoders. One chain is half their size and lets the
    transform step in between two stages (`Stage` output is a feature of the level below).
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        widths = [3, *map(spec.encoder.channels, LEVELS)]
        self.stages: Sequence[Stage] = nn.ModuleList(  # type: ignore[assignment]
            Stage(level, widths[level], stage, widths[level - 1]) for level, stage in enumerate(spec.stages, 1)
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


def after(conv: nn.Conv2d, affine: Affine | None) -> nn.Conv2d | Taps:
    """The convolution of what a map makes of features, as one of the features themselves.

    It is the same, for borders mirror or repeat pixels, and a map changes each by itself.
    """
    if affine is None:
        return conv
    assert conv.bias is not None
    weight, bias = conv.weight.float(), conv.bias.float()
    matrix, offset = (part.to(weight) for part in affine)
    return Taps((weight.movedim(1, -1) @ matrix).movedim(-1, 1), bias + weight.sum((2, 3)) @ offset)


def _several(convolutions: Iterable[nn.Conv2d]) -> Sequence[nn.Conv2d]:
    return nn.ModuleList(convolutions)  # type: ignore[return-value]


def doubled(conv: nn.Conv2d | Taps, x: Tensor, size: tuple[int, int], wrap: bool = False) -> Tensor:
    """3x3 convolution of (N, C, h, w) that is first doubled by repetition and cut to `size`.

    Two of three neighbours are repetitions of one pixel, so that each pixel of the result takes 2x2 of x: it is a
    transposed convolution, with less than half the work and nothing large to be repeated.
    """
    (height, width), (h, w) = size, x.shape[-2:]
    if min(size) == 1:  # where the padding repeats instead of mirroring
        return convolve(conv, _repeated(x)[..., :height, :width], wrap)
    bare = unpadded(x, wrap)
    around = x if bare else surrounded(x, "circular" if wrap else "replicate")
    weight, bias = weights(Taps(_spread(conv.weight), conv.bias), x)
    y = F.conv_transpose2d(around, weight, bias, stride=2, padding=1 if bare else 3)
    y = y[..., :height, :width]

    def beside(part: Tensor, rows: int, columns: int) -> Tensor:
        return convolve(conv, _repeated(part)[..., :rows, :columns], wrap)

    if bare:
        y[..., :1, :] = beside(x[..., :1, :], 2, width)[..., :1, :]
        y[..., :1] = beside(x[..., :1], height, 2)[..., :1]
    # An odd last row mirrors what lies two rows above it, which are not repetitions of each other.
    if bare or height < 2 * h:
        y[..., -1:, :] = beside(x[..., -2:, :], 4 + height - 2 * h, width)[..., -1:, :]
    if bare or width < 2 * w:
        y[..., -1:] = beside(x[..., -2:], height, 4 + width - 2 * w)[..., -1:]
    return y


def _repeated(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _spread(weight: Tensor) -> Tensor:
    """Weights (C', C, 3, 3) on what is repeated as those of a transposed convolution, (C, C', 4, 4).

    Of the four pixels around a repeated one the first gets its last tap, the second, which is that pixel, the last two,
    the third the first two, and the fourth the first. They are added up in float32 at least: pictures in bfloat16 are
    0.1 to 0.7 dB nearer to those in float32 than with sums of rounded ones (6 pairs).
    """
    weight = weight.to(torch.promote_types(weight.dtype, torch.float32))
    for axis in (2, 3):
        a, b, c = weight.unbind(axis)
        weight = torch.stack([c, b + c, a + b, a], axis)
    return weight.transpose(0, 1)
