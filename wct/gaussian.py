"""What a level looks like: the mean and covariance of its features. Frozen, pure and in float64."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import torch
from torch import Tensor

from wct.errors import UsageError
from wct.linalg import Roots, cholesky, eigh, exact_device, finite, sqrt, sqrt_pair
from wct.maps import AffineMap, check_channels, check_parts, shape

__all__ = ["DECODED", "ENCODED", "ROUNDING", "Gaussian", "joined", "merge"]

ROUNDING = 2.5e-5
"""A standard deviation up to this share of the mean's length counts as zero.

A flat picture's features are not exactly flat: convolutions in float32 round them at about 1e-6 of their size. Without
this, whitening would blow that rounding up to the style's full contrast; real pictures vary by 1e-3 at least, for so
much are 8 bits apart.
"""

ENCODED = {torch.float32: ROUNDING, torch.bfloat16: 5e-3}
"""By the precision of the networks: a picture is flat whose features, as they are encoded, vary by no more than this
share of their mean's length, all directions together.

In bfloat16 flat pictures varied by up to 2.5e-3 of it, photos of a hundredth of the contrast by 0.03 at least, and
grain of one grey level by 0.017.
"""

DECODED = {torch.float32: 1e-3, torch.bfloat16: 0.25}
"""The same of what was decoded. Decoders enlarge what is only rounding: in the cascade flat pictures varied by up to
1.7e-4 of the mean with VGG-19's features in float32, photos of a hundredth of the contrast by 0.28 at least.
"""

_BLOCKS = {"cuda": 2**17}
_BLOCK = 2**14
"""Pixels per product: keeps float32 sums short and bounds the extra memory to a few times C x 16384 numbers. On CUDA,
where sums are in float64, time goes by the number of products."""


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean and covariance of the features of one level: all that whitening and coloring knows of a picture.

    Attributes:
        n: total weight > 0: the number of pixels where all weigh 1.
        mean: (C,), float64, in units of the features.
        cov: (C, C), float64, divided by n (not n - 1): one pixel is a valid Gaussian with zero covariance.

    Raises:
        UsageError: n is not a positive finite number, or shapes or dtypes do not fit.

    Examples:
        >>> import torch, wct
        >>> features = torch.rand(3, 8, 8)
        >>> whole = wct.Gaussian.of(features)
        >>> whole
        <Gaussian: 3 channels, n 64>
        >>> merged = merge([wct.Gaussian.of(features[:, :2]), wct.Gaussian.of(features[:, 2:])])
        >>> torch.allclose(merged.cov, whole.cov)
        True
    """

    n: float
    mean: Tensor
    cov: Tensor

    def __post_init__(self) -> None:
        if not (math.isfinite(self.n) and self.n > 0):
            raise UsageError(f"a Gaussian needs a finite weight n above 0, not {self.n}")
        check_parts("a Gaussian", self.cov, self.mean)

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
        if masses is not None and bool((inside := masses > 0).sum() < len(masses) / 2):
            pixels, masses = pixels[:, inside.to(pixels.device)], masses[inside]
        # A block of pixels is a window too; in float64 from here on.
        size = _BLOCKS.get(pixels.device.type, _BLOCK)
        blocks = torch.split(pixels, size, dim=1)
        if masses is None:
            whole = merge(_of_block(block, None) for block in blocks)
        else:
            weighed = zip(blocks, torch.split(masses, size), strict=True)
            whole = merge(_of_block(block, mass) for block, mass in weighed if mass.any())
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

    @cached_property
    def spectrum(self) -> Tensor:
        """(C,), the eigenvalues of the covariance, largest first: the variance along each principal direction."""
        return eigh(self.cov)[0].flip(0).clamp(min=0)

    def directions(self, share: float) -> int:
        """How many leading directions carry this share of the variance; none where nothing varies.

        Raises:
            UsageError: the share is not in 0..1.
        """
        if not 0 <= share <= 1:
            raise UsageError(f"share of the variance is {share}; needs a number from 0 to 1")
        carried = self.spectrum.cumsum(0)
        return int((carried < share * carried[-1]).sum()) + 1 if float(carried[-1]) > 0 else 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.channels} channels, n {self.n:g}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from wct.notebook import gaussian_html

        return gaussian_html(self)

    @cached_property
    def roots(self) -> Roots:
        """Square roots of the covariance, on the directions in which the features vary by more than rounding.

        Solved once: several styles share a content, and several contents a style.
        """
        return sqrt_pair(self.cov, floor=self._floor)

    @cached_property
    def root(self) -> Tensor:
        """(C, C), `roots.root` alone, which is all that coloring needs: a style keeps a third of the memory."""
        return sqrt(self.cov, floor=self._floor)

    @cached_property
    def factor(self) -> Tensor | None:
        """(C, C), the Cholesky factor of the covariance where the features surely vary in every direction by more than
        rounding: for those who need any square root, and no other.
        """
        return cholesky(self.cov, floor=self._floor)

    @property
    def _floor(self) -> float:
        """The variance of what is only rounding."""
        return float((ROUNDING * self.mean.detach()).square().sum())

    def varies(self, share: float) -> bool:
        """Whether the features vary by more than this share of their mean's length, all directions together."""
        return bool(self.cov.trace() > (share * self.mean).square().sum())

    def calmed(self) -> Gaussian:
        """The same mean, without any variation."""
        return replace(self, cov=torch.zeros_like(self.cov))

    def leading(self, rank: int) -> Tensor:
        """(C, C), the projector onto the `rank` directions in which the features vary most."""
        rows = self.components(rank)
        return rows.mT @ rows

    def components(self, rank: int) -> Tensor:
        """(rank, C), the `rank` directions in which the features vary most, of length 1, the leading one first."""
        return eigh(self.cov)[1].mT.flip(0)[:rank]

    def push(self, through: AffineMap) -> Gaussian:
        """The Gaussian of `through(features)`, from that of the features: mean A m + b, covariance A S A^T."""
        through = through.to(self.mean.device)
        mean = through.matrix @ (self.mean - through.source) + through.target
        return Gaussian(self.n, mean, through.matrix @ self.cov @ through.matrix.mT)

    def to(self, device: torch.device | str) -> Gaussian:
        """The same on another device (on the CPU for MPS, which has no float64)."""
        home = exact_device(device)
        return self if self.mean.device == home else Gaussian(self.n, self.mean.to(home), self.cov.to(home))


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


def joined(parts: Sequence[Gaussian | None], more: Sequence[Gaussian | None]) -> list[Gaussian | None]:
    """The Gaussians of regions, those of one window merged with those of the next; an empty list is the start."""
    if not parts:
        return list(more)
    return [a if b is None else b if a is None else merge((a, b)) for a, b in zip(parts, more, strict=True)]


def _merge_two(a: Gaussian, b: Gaussian) -> Gaussian:
    check_channels("merging", [a.channels, b.channels])
    n = a.n + b.n
    left, right = a.n / n, b.n / n
    step = b.mean - a.mean
    cov = left * a.cov + right * b.cov + left * right * torch.outer(step, step)
    return Gaussian(n, left * a.mean + right * b.mean, cov)


def _of_block(pixels: Tensor, masses: Tensor | None) -> Gaussian:
    """The Gaussian of few pixels (C, B) with masses (B,), float64, not all zero; without masses all weigh 1."""
    device, home, count = pixels.device, exact_device(pixels.device), pixels.shape[1]
    # Plain second moments lose half of float32's digits where the mean is large: subtract the rounded mean, multiply
    # once, correct for the rounding. On CUDA in float64, because a user may have allowed TF32, which keeps 10 bits.
    exact = pixels.dtype == torch.float64 or device.type == "cuda"
    dtype = torch.float64 if exact else torch.float32
    n = float(count if masses is None else masses.sum())
    share = pixels.new_full((count,), 1 / count, dtype=dtype) if masses is None else (masses / n).to(device, dtype)
    with torch.autocast(device.type, enabled=False):
        pixels = pixels.to(dtype)
        # Means as products with a vector: 10 ms in all instead of 12 as sums, of 32 channels at 512x512.
        mean = pixels @ share
        centred = pixels - mean[:, None]
        left = (centred @ share).to(home).double()
        cov = centred @ centred.mT / count if masses is None else (centred * share) @ centred.mT
        cov = cov.to(home).double() - torch.outer(left, left)
    return Gaussian(n, mean.to(home).double() + left, (cov + cov.mT) / 2)


def _pixels(features: Tensor) -> Tensor:
    """Features as (C, N)."""
    if features.ndim == 4 and len(features) == 1:
        features = features[0]
    if features.ndim not in (2, 3) or features.numel() == 0 or not features.is_floating_point():
        raise UsageError(
            f"statistics need float features of shape (C, H, W), (1, C, H, W) or (C, N) with at least one pixel, "
            f"not {features.dtype} of shape {shape(features)}"
        )
    return features.flatten(1)


def _masses(weights: Tensor | None, features: Tensor) -> Tensor | None:
    """One float64 weight per pixel, (N,), with a positive sum; None where all weigh 1."""
    if weights is None:
        return None
    where = features.shape[-2:] if features.ndim > 2 else features.shape[-1:]
    home = exact_device(features.device)
    if weights.shape != where:
        raise UsageError(f"weights of shape {shape(weights)} do not fit features of shape {shape(features)}")
    masses = weights.to(home).double().flatten()
    if not bool((torch.isfinite(masses) & (masses >= 0)).all()):
        raise UsageError("the weight of a pixel is negative or not finite; it has to be 0 or more")
    if not bool(masses.any()):
        raise UsageError("all weights are 0: every pixel is transparent or masked out, so there is nothing to measure")
    return None if bool((masses == 1).all()) else masses
