"""Distances of statistics and of features, with gradients: of pictures they are an evaluation, in training a loss."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from wct.gaussian import ROUNDING, Gaussian

__all__ = ["CONTENT_LEVELS", "of_features", "of_statistics"]

CONTENT_LEVELS = (3, 4)
FLAT = 1e-6
"""A variance below this share of the mean square of its level counts as a flat channel."""


def of_statistics(found: Mapping[int, Gaussian], wanted: Mapping[int, Gaussian]) -> Tensor:
    """Mean over the levels of |C - C'|_F / |C'|_F and |m - m'| / |m'|, with C' and m' of what is wanted."""
    pairs = [(found[level], gaussian.to(found[level].mean.device)) for level, gaussian in wanted.items()]
    # A flat picture's features vary by rounding, and so does their covariance.
    covariances = [_relative(one.cov, other.cov, (ROUNDING * other.mean).square().sum()) for one, other in pairs]
    means = [_relative(one.mean, other.mean, other.mean.new_zeros(())) for one, other in pairs]
    return torch.stack([*covariances, *means]).mean()


def of_features(found: Mapping[int, Tensor], wanted: Mapping[int, Tensor]) -> Tensor:
    """Mean squared difference of features (1, C, H, W) of as many levels, instance-normalised (Ulyanov et al. 2016)."""
    return torch.stack([(_normal(found[k]) - _normal(other)).square().mean() for k, other in wanted.items()]).mean()


def _relative(found: Tensor, wanted: Tensor, rounding: Tensor) -> Tensor:
    """|found - wanted| / |wanted|, or over |found| where what is wanted is rounding."""
    difference, scale, own = (torch.linalg.vector_norm(x) for x in (found - wanted, wanted, found))
    scale = torch.where(scale > rounding, scale, torch.maximum(own, rounding))
    share: Tensor = difference / scale.clamp_min(torch.finfo(scale.dtype).tiny)
    return share


def _normal(features: Tensor) -> Tensor:
    """Features (1, C, H, W) with mean 0 and variance 1 per channel, or about 0 where a channel is flat."""
    variance, mean = torch.var_mean(features, dim=(2, 3), correction=0, keepdim=True)
    floor = FLAT * features.square().mean()
    return (features - mean) / (variance + floor).clamp_min(torch.finfo(features.dtype).tiny).sqrt()
