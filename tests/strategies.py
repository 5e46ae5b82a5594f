"""Hypothesis strategies for features and their statistics, small and of every rank, scale and mean."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

from wct.gaussian import Gaussian
from wct.maps import AffineMap

seeds = st.integers(0, 2**32 - 1)
channels = st.integers(1, 12)
scales = st.sampled_from([1e-6, 1e-3, 1.0, 1e3, 1e6])


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=generator(seed), dtype=torch.float64)


def mixing(size: int, seed: int) -> Tensor:
    """A matrix (C, C) whose condition number is at most 5."""
    left, right = (torch.linalg.qr(normal((size, size), seed + shift)).Q for shift in (0, 1))
    gains = 0.2 + 0.8 * torch.rand(size, generator=generator(seed), dtype=torch.float64)
    return (left * gains) @ right


@st.composite
def full_rank(draw: st.DrawFn, size: int) -> Tensor:
    """Features (C, N), N >= 3 C + 2, with a well-conditioned covariance, any scale, a mean up to 1000 times it."""
    seed = draw(seeds)
    pixels = mixing(size, seed) @ normal((size, draw(st.integers(3 * size + 2, 3 * size + 8))), seed + 2)
    return draw(scales) * (pixels + draw(st.sampled_from([0.0, 1.0, 1e3])) * normal((size, 1), seed + 3))


@st.composite
def any_rank(draw: st.DrawFn, size: int, most: int = 40) -> Tensor:
    """Features (C, N), N <= `most`, of any rank from 0 (flat, one pixel) up, any scale, any mean."""
    seed = draw(seeds)
    rank = draw(st.integers(0, size))
    pixels = normal((size, rank), seed) @ normal((rank, draw(st.integers(1, most))), seed + 1)
    return draw(scales) * (pixels + draw(st.sampled_from([0.0, 1.0, 1e3])) * normal((size, 1), seed + 2))


@st.composite
def maps(draw: st.DrawFn, size: int) -> AffineMap:
    seed = draw(seeds)
    return AffineMap(normal((size, size), seed), normal((size,), seed + 1), normal((size,), seed + 2))


def reference(pixels: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean and covariance in float64 by the textbook, from (C, N) and (N,)."""
    pixels = pixels.double()
    share = torch.ones(pixels.shape[1], dtype=torch.float64) if weights is None else weights.double()
    share = share / share.sum()
    mean = (pixels * share).sum(1)
    centred = pixels - mean[:, None]
    return mean, (centred * share) @ centred.T


def assert_same(found: Gaussian, wanted: Gaussian, rtol: float = 1e-9) -> None:
    """Equal n, mean and covariance, relative to how large the features are."""
    size = float(wanted.mean.abs().max() + wanted.std.max())
    assert abs(found.n - wanted.n) <= rtol * wanted.n
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=rtol * size)
    torch.testing.assert_close(found.cov, wanted.cov, rtol=0, atol=rtol * size**2)
