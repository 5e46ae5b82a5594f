"""The two words of the algebra: what a level looks like (`Gaussian`) and how to change it (`AffineMap`).

Both are frozen, pure and in float64; features keep their own dtype and device.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from wct.errors import UsageError
from wct.linalg import exact_device, finite

__all__ = ["AffineMap", "Gaussian", "merge", "mix", "normalised"]

_BLOCK = 8192
"""Pixels per product: keeps float32 sums short and bounds the extra memory to a few times C x 8192 numbers."""


@dataclass(frozen=True, eq=False, slots=True)
class Gaussian:
    """Mean and covariance of the features of one level: all that whitening and coloring knows of a picture.

    Attributes:
        n: total weight > 0: the number of pixels where all weigh 1.
        mean: (C,), float64, in units of the features.
        cov: (C, C), float64, divided by n (not n - 1): one pixel is a valid Gaussian with zero covariance.

    Raises:
        UsageError: n is not a positive finite number, or shapes or dtypes do not fit.
    """

    n: float
    mean: Tensor
    cov: Tensor

    def __post_init__(self) -> None:
        if not (math.isfinite(self.n) and self.n > 0):
            raise UsageError(f"a Gaussian needs a finite weight n above 0, not {self.n}")
        _check_parts("a Gaussian", self.cov, self.mean)

    @classmethod
    def of(cls, features: Tensor, weights: Tensor | None = None) -> Gaussian:
        """Statistics of features, with a relative error below 1e-5 in float32 however large their mean.

        Args:
            features: (C, H, W), (1, C, H, W) or (C, N), any float dtype.
            weights: (H, W) or (N,), finite, >= 0. None weighs every pixel 1; a pixel of weight 0 stays out.

        Raises:
            UsageError: a shape does not fit, there is no pixel, or no pixel has weight.
            NumericsError: a feature is not finite.
        """
        pixels = _pixels(features)
        masses = _masses(weights, features)
        blocks = zip(torch.split(pixels, _BLOCK, dim=1), torch.split(masses, _BLOCK), strict=True)
        # A block of pixels is a window too; in float64 from here on.
        whole = merge(_of_block(block, mass) for block, mass in blocks if mass.any())
        finite(whole.mean, "the mean of the features")
        finite(whole.cov, "the covariance of the features")
        return whole

    @property
    def channels(self) -> int:
        """The number of channels C."""
        return len(self.mean)

    @property
    def std(self) -> Tensor:
        """(C,), the standard deviation of each channel."""
        return self.cov.diagonal().clamp(min=0).sqrt()

    def push(self, through: AffineMap) -> Gaussian:
        """The Gaussian of `through(features)`, from that of the features: mean A m + b, covariance A S A^T."""
        through = through.to(self.mean.device)
        mean = through.matrix @ (self.mean - through.source) + through.target
        return Gaussian(self.n, mean, through.matrix @ self.cov @ through.matrix.mT)

    def to(self, device: torch.device | str) -> Gaussian:
        """The same on another device (on the CPU for MPS, which has no float64)."""
        home = exact_device(device)
        return Gaussian(self.n, self.mean.to(home), self.cov.to(home))


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
    """

    matrix: Tensor
    source: Tensor
    target: Tensor

    def __post_init__(self) -> None:
        _check_parts("an AffineMap", self.matrix, self.source, self.target)

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
            raise UsageError(f"a map of {self.channels} channels does not fit features of shape {_shape(features)}")
        dtype = torch.promote_types(features.dtype, torch.float32)
        matrix, source, target = (part.to(features.device, dtype) for part in (self.matrix, self.source, self.target))
        with torch.autocast(features.device.type, enabled=False):
            centred = features.flatten(axis + 1).to(dtype) - source[:, None]
            mapped = (matrix @ centred).add_(target[:, None])
        return mapped.to(features.dtype).reshape(features.shape)

    def __matmul__(self, first: AffineMap) -> AffineMap:
        """Composition: `(second @ first)(x) == second(first(x))`."""
        target = self.matrix @ (first.target - self.source) + self.target
        return AffineMap(self.matrix @ first.matrix, first.source, target)

    def toward_identity(self, alpha: float) -> AffineMap:
        """The map (1 - alpha) x + alpha y(x) (Li et al. 2017): 0 is the identity, 1 this map, above 1 extrapolates.

        Raises:
            UsageError: alpha is negative or not finite.
        """
        if not (math.isfinite(alpha) and alpha >= 0):
            raise UsageError(f"alpha is {alpha}; it needs a finite number, 0 (content only) to 1 (full style) or above")
        identity = torch.eye(self.channels, dtype=torch.float64, device=self.matrix.device)
        matrix = (1 - alpha) * identity + alpha * self.matrix
        return AffineMap(matrix, self.source, (1 - alpha) * self.source + alpha * self.target)

    def to(self, device: torch.device | str) -> AffineMap:
        """The same on another device (on the CPU for MPS, which has no float64)."""
        home = exact_device(device)
        return AffineMap(self.matrix.to(home), self.source.to(home), self.target.to(home))


def merge(gaussians: Iterable[Gaussian]) -> Gaussian:
    """The Gaussian of all pixels together, exactly (Chan, Golub & LeVeque 1979), one at a time.

    Associative and commutative up to rounding. An iterator is consumed without keeping its items.

    Raises:
        UsageError: there is nothing to merge, or the numbers of channels differ.
    """
    gaussians = iter(gaussians)
    first = next(gaussians, None)
    if first is None:
        raise UsageError("merging needs at least one Gaussian, found none")
    return reduce(_merge_two, gaussians, first)


def mix(maps: Sequence[AffineMap], weights: Sequence[float]) -> AffineMap:
    """The weighted mean of maps, y = sum w_i y_i(x): several styles at once (Li et al. 2017).

    Args:
        maps: one or more maps of the same number of channels.
        weights: as many numbers, any scale, as `normalised` takes them.

    Raises:
        UsageError: the weights do not fit, or the numbers of channels differ.
    """
    shares = normalised(weights, len(maps))
    _check_channels("mixing maps", [one.channels for one in maps])
    parts = list(zip(shares, maps, strict=True))
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


def _merge_two(a: Gaussian, b: Gaussian) -> Gaussian:
    _check_channels("merging", [a.channels, b.channels])
    n = a.n + b.n
    left, right = a.n / n, b.n / n
    step = b.mean - a.mean
    cov = left * a.cov + right * b.cov + left * right * torch.outer(step, step)
    return Gaussian(n, left * a.mean + right * b.mean, cov)


def _of_block(pixels: Tensor, masses: Tensor) -> Gaussian:
    """The Gaussian of few pixels (C, B) with masses (B,), float64, not all zero."""
    device, home = pixels.device, masses.device
    n = float(masses.sum())
    # Plain second moments lose half of float32's digits where the mean is large: subtract the rounded mean, multiply
    # once, correct for the rounding. On CUDA in float64, because a user may have allowed TF32, which keeps 10 bits.
    exact = pixels.dtype == torch.float64 or device.type == "cuda"
    dtype = torch.float64 if exact else torch.float32
    share = (masses / n).to(device, dtype)
    with torch.autocast(device.type, enabled=False):
        pixels = pixels.to(dtype)
        mean = pixels @ share
        centred = pixels - mean[:, None]
        left = (centred @ share).to(home).double()
        centred = centred * share.sqrt()
        cov = (centred @ centred.mT).to(home).double() - torch.outer(left, left)
    return Gaussian(n, mean.to(home).double() + left, (cov + cov.mT) / 2)


def _pixels(features: Tensor) -> Tensor:
    """Features as (C, N)."""
    if features.ndim == 4 and len(features) == 1:
        features = features[0]
    if features.ndim not in (2, 3) or features.numel() == 0 or not features.is_floating_point():
        raise UsageError(
            f"statistics need float features of shape (C, H, W), (1, C, H, W) or (C, N) with at least one pixel, "
            f"not {features.dtype} of shape {_shape(features)}"
        )
    return features.flatten(1)


def _masses(weights: Tensor | None, features: Tensor) -> Tensor:
    """One float64 weight per pixel, (N,), with a positive sum."""
    where = features.shape[-2:] if features.ndim > 2 else features.shape[-1:]
    home = exact_device(features.device)
    if weights is None:
        return torch.ones((), dtype=torch.float64, device=home).expand(where.numel())
    if weights.shape != where:
        raise UsageError(f"weights of shape {_shape(weights)} do not fit features of shape {_shape(features)}")
    masses = weights.to(home).double().flatten()
    if not bool((torch.isfinite(masses) & (masses >= 0)).all()):
        raise UsageError("the weight of a pixel is negative or not finite; it has to be 0 or more")
    if not bool(masses.any()):
        raise UsageError("all weights are 0: every pixel is transparent or masked out, so there is nothing to measure")
    return masses


def _check_parts(what: str, matrix: Tensor, *vectors: Tensor) -> None:
    size = len(vectors[0])
    fits = matrix.shape == (size, size) and all(vector.shape == (size,) for vector in vectors)
    if not fits or any(part.dtype != torch.float64 for part in (matrix, *vectors)):
        found = ", ".join(f"{part.dtype} {_shape(part)}" for part in (matrix, *vectors))
        raise UsageError(f"{what} needs a float64 matrix (C, C) and vectors (C,), found {found}")


def _check_channels(doing: str, channels: Sequence[int]) -> None:
    if len(set(channels)) > 1:
        raise UsageError(f"{doing} needs equal numbers of channels, found {', '.join(map(str, channels))}")


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _sum(tensors: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, tensors)
