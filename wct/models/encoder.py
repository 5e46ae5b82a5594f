"""The one Encoder: VGG-19's topology at any width, with an optional linear head per level."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wct.models.padding import surrounded
from wct.models.spec import EncoderSpec

__all__ = ["Encoder", "Taps", "convolve", "halved", "padded", "pooled", "unpadded", "weights"]

_LARGE = 2**16
"""Pixels. Of fewer a padded copy costs less than the borders do."""

_AT_ONCE = 16
"""Channels that a processor computes together, however few are asked for."""


class Taps(NamedTuple):
    """What a convolution computes with; of `nn.Conv2d` no more is needed."""

    weight: Tensor
    """(C', C, 3, 3), or (C, C', 4, 4) of a transposed one."""
    bias: Tensor | None
    """(C',)."""


def padded(x: Tensor, wrap: bool = False) -> Tensor:
    """One more pixel on each side of (N, C, H, W): mirrored, or with `wrap` from the opposite side.

    Repeated where a side has one pixel only: reflection needs two.
    """
    if wrap:
        return surrounded(x, "circular")
    h, w = x.shape[-2:]
    return surrounded(x, "reflect" if h > 1 and w > 1 else "replicate")


def convolve(conv: nn.Conv2d | Taps, x: Tensor, wrap: bool = False) -> Tensor:
    """3x3 convolution with the padding that keeps the size."""
    if unpadded(x, wrap):
        return _bordered(conv, x)
    return F.conv2d(padded(x, wrap), *weights(conv, x))


def weights(conv: nn.Conv2d | Taps, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Weights and bias in the precision of x: as they are kept, decoders' are float16, as their files have them.

    All in float32 they are 36 MB more with vgg19, at its peak.
    """
    return conv.weight.to(x.dtype), None if conv.bias is None else conv.bias.to(x.dtype)


def unpadded(x: Tensor, wrap: bool) -> bool:
    """Whether the convolution of x does without a padded copy of it."""
    height, width = x.shape[-2:]
    return height * width >= _LARGE and min(height, width) > 1 and not wrap and not torch.is_grad_enabled()


def pooled(x: Tensor) -> Tensor:
    """The largest of each 2x2 pixels of (N, C, H, W), those of an odd last row or column among themselves."""
    odd = x.shape[-2] % 2 or x.shape[-1] % 2
    if odd or x.device.type != "cpu" or torch.is_grad_enabled():
        return F.max_pool2d(x, 2, ceil_mode=True)
    # torch's also finds where they are, which takes 5.9 to 11.6 ms instead of 4.5 for 32 channels at 512x512.
    rows = torch.maximum(x[..., ::2, :], x[..., 1::2, :])
    return torch.maximum(rows[..., ::2], rows[..., 1::2])


def _bordered(conv: nn.Conv2d | Taps, x: Tensor) -> Tensor:
    """The same without a padded copy of x: the convolution's own zeros around it, then the four borders anew.

    In three of four layers of compact at 512x512 it is faster by a tenth to a third. Its gradient would be slower.
    """
    weight, bias = weights(conv, x)
    few = 4 * len(weight) <= _AT_ONCE and x.device.type == "cpu"
    y = _by_fours(weight, bias, x) if few else F.conv2d(x, weight, bias, padding=1)
    for border, source, sides in (
        (y[..., :1, :], x[..., :2, :], (1, 1, 1, 0)),
        (y[..., -1:, :], x[..., -2:, :], (1, 1, 0, 1)),
        (y[..., :1], x[..., :2], (1, 0, 1, 1)),
        (y[..., -1:], x[..., -2:], (0, 1, 1, 1)),
    ):
        border.copy_(F.conv2d(F.pad(source, sides, mode="reflect"), weight, bias))
    return y


def _by_fours(weight: Tensor, bias: Tensor | None, x: Tensor) -> Tensor:
    """The convolution with zeros around x, that of 2x2 pixels as one. What is odd at the end is left open.

    For few channels: three of 512x512 pixels from 48 take 11 ms, not 19.
    """
    out, channels = weight.shape[:2]
    four = weight.new_zeros(out, 2, 2, channels, 4, 4)
    for i, j in product(range(2), repeat=2):
        four[:, i, j, :, i : i + 3, j : j + 3] = weight
    bias = None if bias is None else bias.repeat_interleave(4)
    made = F.pixel_shuffle(F.conv2d(x, four.flatten(0, 2), bias, stride=2, padding=1), 2)
    y = made.new_empty(len(x), *x.shape[-2:], out).movedim(-1, 1)
    y[..., : made.shape[-2], : made.shape[-1]] = made
    return y


class Encoder(nn.Module):
    """Features of an RGB picture at relu1_1 … relu5_1, from one pass for all levels.

    Weights are named as in the paper (`conv4_1.weight`; `head4.weight` for the head of relu4_1). The input
    convention of the original VGG-19 (BGR, 0..255, minus the means) is part of the first convolution, whose
    padding is therefore that of the picture: see `wct.models.vgg`.

    Attributes:
        spec: the architecture.
        precision: in which features are computed, and given; None for that of the pictures.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.spec = spec
        self.precision: torch.dtype | None = None
        width = 3
        for block, widths in enumerate(spec.widths, 1):
            for i, out in enumerate(widths, 1):
                self.add_module(f"conv{block}_{i}", nn.Conv2d(width, out, 3))
                width = out
        for level, rank in enumerate(spec.ranks, 1):
            self.add_module(f"head{level}", nn.Conv2d(spec.widths[level - 1][0], rank, 1))

    def layers(self) -> Iterator[tuple[str, nn.Conv2d]]:
        """The convolutions of the trunk from the picture inwards, with their names."""
        for block, widths in enumerate(self.spec.widths, 1):
            for i in range(1, len(widths) + 1):
                yield f"{block}_{i}", self.get_submodule(f"conv{block}_{i}")  # type: ignore[misc]

    def reach(self, level: int) -> int:
        """How many pixels beyond its own a feature of `level` looks."""
        counts = [len(widths) for widths in self.spec.widths[: level - 1]] + [1]
        return sum(count << block for block, count in enumerate(counts))

    def head(self, x: Tensor, level: int) -> Tensor:
        """Features of `level` from the activations of relu{level}_1."""
        if not self.spec.ranks:
            return x
        head: nn.Conv2d = self.get_submodule(f"head{level}")  # type: ignore[assignment]
        return F.conv2d(x, *weights(head, x))

    def trunk(
        self, x: Tensor, deepest: int = 5, wrap: bool = False, counts: Mapping[int, int] | None = None
    ) -> Iterator[tuple[str, Tensor]]:
        """Activations after each ReLU ("1_1", "1_2", …) of (N, 3, H, W) in 0..1, up to relu{deepest}_1.

        With `wrap` the picture is a tile whose opposite edges meet; H and W are then multiples of 16. Where `counts`
        are given, only the first counts[k] pictures go on to relu{k}_1.
        """
        for name, conv in self.layers():
            if name.endswith("_1") and name != "1_1":
                # Departure: the paper's pooling drops an odd last row; rounding up keeps it, so that
                # every size from 1x1 passes and the decoder can return exactly the input's size.
                x = pooled(x)
            x = F.relu(convolve(conv, x, wrap), inplace=True)
            yield name, x
            if name == f"{deepest}_1":
                return
            if counts and name.endswith("_1"):
                x = x[: counts[int(name[0]) + 1]]

    def forward(
        self, x: Tensor, levels: Iterable[int], wrap: bool = False, counts: Mapping[int, int] | None = None
    ) -> dict[int, Tensor]:
        """Features {level: (N, C, H/2**(level-1), W/2**(level-1))} of pictures (N, 3, H, W), RGB in 0..1.

        `wrap` and `counts` as in `trunk`: with `counts` there are those of the first counts[level] pictures.
        """
        wanted = set(levels)
        features = {}
        x = x.to(self.precision or x.dtype)
        for name, y in self.trunk(x, max(wanted), wrap, counts):
            if name.endswith("_1") and (level := int(name[0])) in wanted:
                features[level] = self.head(y, level)
            del y  # or it would be kept through the next convolution
        return features


def halved(size: tuple[int, int], level: int) -> tuple[int, int]:
    """Height and width of the features of `level` for a picture of `size` (rounded up at each pooling)."""
    h, w = size
    for _ in range(level - 1):
        h, w = (h + 1) // 2, (w + 1) // 2
    return h, w
