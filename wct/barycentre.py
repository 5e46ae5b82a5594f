"""One Gaussian between several: their barycentre in the Wasserstein distance."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wct.errors import NumericsError
from wct.gaussian import Gaussian
from wct.linalg import sqrt, sqrt_pair
from wct.maps import check_channels, normalised

__all__ = ["barycentre"]

_CUT = 1e-13
"""Eigenvalues up to this share of the largest one count as zero on the way.

Far below what a style's roots keep, and far above float64's rounding, whose square root would fill the empty directions
of singular covariances and keep the iteration from settling.
"""


def barycentre(
    gaussians: Sequence[Gaussian], weights: Sequence[float], *, tolerance: float = 1e-6, max_iterations: int = 500
) -> Gaussian:
    """The Gaussian of least weighted sum of squared Wasserstein-2 distances to the given ones (Agueh & Carlier 2011).

    Its mean and n are the weighted means. Its covariance is the limit of S <- S^-1/2 (sum w_i (S^1/2 S_i S^1/2)^1/2)^2
    S^-1/2 (Alvarez-Esteban, del Barrio, Cuesta-Albertos & Matran 2016), from the weighted mean of the
    covariances, whose range holds all of theirs; for covariances that commute it is (sum w_i S_i^1/2)^2, found in one
    step. Where singular covariances have several barycentres, this is one of them.

    Args:
        gaussians: one or more of the same number of channels; the result lives on the device of the first that counts.
        weights: as many numbers, any scale, as `wct.maps.normalised` takes them; a single Gaussian above 0 is returned
            as it is.
        tolerance: relative change of the covariance (Frobenius) at which it counts as found.
        max_iterations: styles of many pixels take about 10, of fewer pixels than channels up to 140.

    Raises:
        UsageError: the weights do not fit, or the numbers of channels differ.
        NumericsError: a covariance is not finite, or the iteration does not settle.
    """
    shares = normalised(weights, len(gaussians))
    check_channels("a barycentre", [gaussian.channels for gaussian in gaussians])
    parts = [(share, gaussian) for share, gaussian in zip(shares, gaussians, strict=True) if share > 0]
    if len(parts) == 1:
        return parts[0][1]
    home = parts[0][1].mean.device
    share = torch.tensor([share for share, _ in parts], dtype=torch.float64, device=home)
    means, covs = (
        torch.stack([part.to(home) for part in kind])
        for kind in zip(*((gaussian.mean, gaussian.cov) for _, gaussian in parts), strict=True)
    )
    n = sum(share * gaussian.n for share, gaussian in parts)
    return Gaussian(n, share @ means, _centre(covs, share, tolerance, max_iterations))


def _centre(covs: Tensor, share: Tensor, tolerance: float, max_iterations: int) -> Tensor:
    """The barycentre (C, C) of covariances (M, C, C) with shares (M,) that sum to 1."""
    cov: Tensor = torch.tensordot(share, covs, 1)
    for _ in range(max_iterations):
        roots = sqrt_pair(cov, _CUT)
        towards = torch.tensordot(share, sqrt(roots.root @ covs @ roots.root, _CUT), 1)
        half = roots.inverse @ towards
        previous, cov = cov, half @ half.mT
        if torch.linalg.matrix_norm(cov - previous) <= tolerance * torch.linalg.matrix_norm(cov):
            return cov
    raise NumericsError(
        f"the barycentre of {len(covs)} covariances: still changes by more than {tolerance:.0e} of its size after "
        f"{max_iterations} iterations; blend the maps instead, or leave a style of few pixels out"
    )
