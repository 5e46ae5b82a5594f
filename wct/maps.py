"""Maps on features: the affine ones that two Gaussians give, and what all maps have in common.

Frozen, pure and in float64; features keep their own dtype and device.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from wct.errors import UsageError
from wct.linalg import exact_device

__all__ = ["AffineMap", "FeatureMap", "Mixture", "mix", "normalised"]

_BLOCKS = {"cuda": 2**18}
_BLOCK = 2**14
"""Pixels per product: as many as stay in a processor's cache; on CUDA time goes by the number of products."""

_MANY = 16
"""Channels: of fewer a product is as fast."""


class FeatureMap(Protocol):
    """What changes the features of one level."""

    @property
    def channels(self) -> int:
        """The number of channels C."""

    @property
    def halo(self) -> int:
        """How many pixels beyond its own a mapped feature depends on."""

    def __call__(self, features: Tensor) -> Tensor:
        """Features (1, C, H, W) or (C, H, W) to features of the same shape, dtype and device."""

    def toward_identity(self, alpha: float) -> FeatureMap:
        """The map (1 - alpha) x + alpha y(x); UsageError where alpha is negative or not finite."""


@dataclass(frozen=True, eq=False, slots=True)
class AffineMap:
    """The map y = A (x - source) + target on feature vectors of C channels, or y = A x + b with b = target - A source.

    Kept around its source point so that float32 features lose no digits where their mean is large.

    Attributes:
        matrix: A, (C, C), float64.
        source: (C,), float64, usually the content's mean.
        target: (C,), float64, where the source goes: usually the style's mean.

    Raises:
        UsageError: shapes or dtypes do not fit.

    Examples:
        >>> import torch, wct
        >>> content, style = wct.Gaussian.of(torch.rand(3, 99)), wct.Gaussian.of(2 * torch.rand(3, 99))
        >>> move = wct.transforms.ot(content, style)
        >>> torch.allclose(content.push(move).cov, style.cov)
        True
        >>> half = move.toward_identity(0.5)
        >>> torch.allclose(content.push(half).mean, (content.mean + style.mean) / 2)
        True
    """

    matrix: Tensor
    source: Tensor
    target: Tensor

    def __post_init__(self) -> None:
        check_parts("an AffineMap", self.matrix, self.source, self.target)

    @classmethod
    def identity(cls, channels: int) -> AffineMap:
        """The map y = x."""
        zero = torch.zeros(channels, dtype=torch.float64)
        return cls(torch.eye(channels, dtype=torch.float64), zero, zero)

    @property
    def channels(self) -> int:
        """The number of channels C."""
        return len(self.source)

    @property
    def halo(self) -> int:
        """How many pixels beyond its own a mapped feature depends on: none."""
        return 0

    @property
    def offset(self) -> Tensor:
        """(C,), b in y = A x + b."""
        return self.target - self.matrix @ self.source

    def __call__(self, features: Tensor) -> Tensor:
        """Map every pixel of features, (C, H, W), (N, C, H, W) or (C, N); same shape, dtype and device out.

        Computed in float32 at least: whitening subtracts large numbers, and half precision has no digits to spare.

        Raises:
            UsageError: the features have another number of channels.
        """
        axis = max(features.ndim - 3, 0)
        if features.ndim not in (2, 3, 4) or features.shape[axis] != self.channels:
            raise UsageError(f"a map of {self.channels} channels does not fit features of shape {shape(features)}")
        dtype = torch.promote_types(features.dtype, torch.float32)
        matrix, source, target = (part.to(features.device, dtype) for part in (self.matrix, self.source, self.target))
        with torch.autocast(features.device.type, enabled=False):
            # Channels last, as the features of convolutions lie in memory, and so few pixels at once that the
            # differences need no memory to speak of.
            pixels = features.movedim(axis, -1)
            flat = pixels.reshape(-1, self.channels)
            mapped = torch.empty_like(flat)
            size = _BLOCKS.get(flat.device.type, _BLOCK)
            for start in range(0, len(flat), size):
                some = slice(start, start + size)
                mapped[some] = _linear(flat[some].to(dtype) - source, matrix, target)
        return mapped.view(pixels.shape).movedim(-1, axis)

    def __matmul__(self, first: AffineMap) -> AffineMap:
        """Composition: `(second @ first)(x) == second(first(x))`."""
        target = self.matrix @ (first.target - self.source) + self.target
        return AffineMap(self.matrix @ first.matrix, first.source, target)

    def toward_identity(self, alpha: float) -> AffineMap:
        """The map (1 - alpha) x + alpha y(x) (Li et al. 2017): 0 is the identity, 1 this map, above 1 extrapolates.

        Raises:
            UsageError: alpha is negative or not finite.
        """
        _check_alpha(alpha)
        identity = torch.eye(self.channels, dtype=torch.float64, device=self.matrix.device)
        matrix = (1 - alpha) * identity + alpha * self.matrix
        return AffineMap(matrix, self.source, (1 - alpha) * self.source + alpha * self.target)

    def within(self, projector: Tensor) -> AffineMap:
        """The map x + P (y(x) - x), with P an orthogonal projector (C, C): features change only within its range."""
        projector = projector.to(self.matrix)
        identity = torch.eye(self.channels, dtype=torch.float64, device=self.matrix.device)
        matrix = identity + projector @ (self.matrix - identity)
        return AffineMap(matrix, self.source, self.source + projector @ (self.target - self.source))

    def to(self, device: torch.device | str) -> AffineMap:
        """The same on another device (on the CPU for MPS, which has no float64)."""
        home = exact_device(device)
        return AffineMap(self.matrix.to(home), self.source.to(home), self.target.to(home))


@dataclass(frozen=True, eq=False, slots=True)
class Mixture:
    """The map y = sum s_i y_i(x) of maps that are not all affine.

    Attributes:
        maps: one or more maps of the same number of channels.
        shares: as many factors s_i, summing to 1; below 0 where alpha extrapolates.
    """

    maps: tuple[FeatureMap, ...]
    shares: tuple[float, ...]

    @property
    def channels(self) -> int:
        """The number of channels C."""
        return self.maps[0].channels

    @property
    def halo(self) -> int:
        """How many pixels beyond its own a mapped feature depends on."""
        return max(one.halo for one in self.maps)

    def __call__(self, features: Tensor) -> Tensor:
        """Features to features of the same shape, dtype and device."""
        return _sum(share * one(features) for share, one in zip(self.shares, self.maps, strict=True))

    def toward_identity(self, alpha: float) -> Mixture:
        """The map (1 - alpha) x + alpha y(x); UsageError where alpha is negative or not finite."""
        _check_alpha(alpha)
        identity = AffineMap.identity(self.channels)
        return Mixture((identity, *self.maps), (1 - alpha, *(alpha * share for share in self.shares)))


def mix(maps: Sequence[FeatureMap], weights: Sequence[float]) -> FeatureMap:
    """The weighted mean of maps, y = sum w_i y_i(x): several styles at once (Li et al. 2017).

    Args:
        maps: one or more maps of the same number of channels.
        weights: as many numbers, any scale, as `normalised` takes them.

    Raises:
        UsageError: the weights do not fit, or the numbers of channels differ.
    """
    shares = normalised(weights, len(maps))
    check_channels("mixing maps", [one.channels for one in maps])
    affine = [one for one in maps if isinstance(one, AffineMap)]
    if len(affine) < len(maps):
        return Mixture(tuple(maps), tuple(shares))
    parts = list(zip(shares, affine, strict=True))
    source = _sum(share * one.source for share, one in parts)
    matrix = _sum(share * one.matrix for share, one in parts)
    target = _sum(share * (one.target + one.matrix @ (source - one.source)) for share, one in parts)
    return AffineMap(matrix, source, target)


def normalised(weights: Sequence[float], count: int) -> list[float]:
    """Weights of `count` things, divided by their sum.

    Raises:
        UsageError: not `count` weights, one is negative or not finite, or none is above zero.
    """
    if len(weights) != count:
        raise UsageError(f"{len(weights)} weights for {count} things; give one weight for each")
    for weight in weights:
        if not (math.isfinite(weight) and weight >= 0):
            raise UsageError(f"weight {weight} is not a finite number of 0 or more")
    top = max(weights, default=0.0)
    if top == 0:
        raise UsageError("all weights are 0; at least one has to be above 0")
    scaled = [weight / top for weight in weights]
    return [weight / math.fsum(scaled) for weight in scaled]


def check_parts(what: str, matrix: Tensor, *vectors: Tensor) -> None:
    size = len(vectors[0])
    fits = matrix.shape == (size, size) and all(vector.shape == (size,) for vector in vectors)
    if not fits or any(part.dtype != torch.float64 for part in (matrix, *vectors)):
        found = ", ".join(f"{part.dtype} {shape(part)}" for part in (matrix, *vectors))
        raise UsageError(f"{what} needs a float64 matrix (C, C) and vectors (C,), found {found}")


def check_channels(doing: str, channels: Sequence[int]) -> None:
    if len(set(channels)) > 1:
        raise UsageError(f"{doing} needs equal numbers of channels, found {', '.join(map(str, channels))}")


def shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _linear(pixels: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """The matrix (D, C) times each of the pixels (N, C), plus the offset (D,): (N, D).

    Where it can be, by oneDNN as a convolution by a single pixel, which is the same product: MKL's leaves out what
    AMD's processors can do. Compact's five maps at 512x512 took 6.2 ms on an EPYC instead of 10.1.
    """
    able = pixels.device.type == "cpu" and pixels.dtype == torch.float32 and not torch.is_grad_enabled()
    if not (able and pixels.shape[1] >= _MANY and torch.backends.mkldnn.is_available()):  # type: ignore[no-untyped-call]
        return F.linear(pixels, matrix, offset)
    column = pixels[None, :, None].movedim(-1, 1)
    return F.conv2d(column, matrix[..., None, None], offset).movedim(1, -1)[0, :, 0]


def _check_alpha(alpha: float) -> None:
    if not (math.isfinite(alpha) and alpha >= 0):
        raise UsageError(f"alpha is {alpha}; it needs a finite number, 0 (content only) to 1 (full style) or above")


def _sum(tensors: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, tensors)
