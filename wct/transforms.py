"""Transforms by name: functions of the content's and the style's `Gaussian` that give a map from the one to the other.

All take statistics from the same level of the same model, and give a map on the content's device. In the equations
m_c, m_s are the means of content and style, and C, S their covariances. On both sides, what varies by no more than
rounding counts as not varying (`Gaussian.roots`), so that flat pictures stay finite and nothing is blown up.

All raise:
    UsageError: the numbers of channels differ.
    NumericsError: a statistic is not finite.

Gradients flow through the affine ones, so that they can sit inside a loss.

Examples:
    >>> import torch
    >>> features = torch.rand(3, 20, 20)
    >>> content, style = Gaussian.of(features), Gaussian.of(torch.rand(3, 30, 30) ** 2)
    >>> made = wct(content, style)(features)
    >>> torch.allclose(Gaussian.of(made).cov, style.cov, atol=1e-6)
    True
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches

import torch

from wct.errors import UsageError
from wct.gaussian import Gaussian
from wct.maps import AffineMap, FeatureMap
from wct.polar import modulus
from wct.swap import PatchMap, Texture

__all__ = ["TRANSFORMS", "Transform", "adain", "color", "mean", "ot", "swap", "transform", "wct", "whiten"]

Transform = Callable[[Gaussian, Gaussian], FeatureMap]


def wct(content: Gaussian, style: Gaussian) -> AffineMap:
    """Whitening and coloring (Li et al. 2017, section 3.2): y = S^1/2 C^-1/2 (x - m_c) + m_s.

    Where the content varies in every direction, its covariance becomes the style's.
    """
    style = _alike(content, style)
    own = content.roots
    # Departure from the paper, which drops the directions in which the content does not vary: they pass with gain 1.
    # What lies there is below the rank cut, so nothing is amplified; style == content is the identity everywhere, a
    # flat content is only moved, and features that the statistics have not seen (soft masks) keep their detail.
    return AffineMap(style.root @ own.inverse + own.rest, content.mean, style.mean)


def ot(content: Gaussian, style: Gaussian) -> AffineMap:
    """Optimal transport (Lu et al. 2019): y = C^-1/2 (C^1/2 S C^1/2)^1/2 C^-1/2 (x - m_c) + m_s.

    Imposes the same covariance as `wct` by the map that moves features least, in the mean of squares: its matrix is
    symmetric and positive semi-definite. Directions in which the content does not vary pass with gain 1, as in `wct`.
    """
    style = _alike(content, style)
    # Where Cholesky's factors will do they spare an eigendecomposition each: of S = R^T R any R, and with C = L L^T it
    # is L^-T (L^T S L)^1/2 L^-1 as well.
    half = style.root if style.factor is None else style.factor.mT
    if (lower := content.factor) is not None:
        middle = modulus(half @ lower)
        matrix = torch.linalg.solve_triangular(lower.mT, middle, upper=True)
        matrix = torch.linalg.solve_triangular(lower, matrix, upper=False, left=False)
        return AffineMap(matrix, content.mean, style.mean)
    own = content.roots
    middle = modulus(half @ own.root)
    return AffineMap(own.inverse @ middle @ own.inverse + own.rest, content.mean, style.mean)


def adain(content: Gaussian, style: Gaussian) -> AffineMap:
    """Adaptive instance normalisation (Huang & Belongie 2017): mean and deviation of every channel alone.

    It is `wct` of channels without correlation.
    """
    return wct(_uncorrelated(content), _uncorrelated(style))


def mean(content: Gaussian, style: Gaussian) -> AffineMap:
    """The mean alone: y = x - m_c + m_s."""
    style = _alike(content, style)
    return AffineMap(torch.eye(content.channels).to(content.cov), content.mean, style.mean)


def whiten(content: Gaussian, style: Gaussian) -> AffineMap:
    """Whitening alone, to see what it leaves: y = s C^-1/2 (x - m_c) + m_c, with s^2 = tr(C) / channels.

    Every direction in which the content varies gets the content's average variance, so that decoders can read the
    result. The style plays no part.
    """
    _alike(content, style)
    own = content.roots
    return AffineMap(_scale(content) * own.inverse + own.rest, content.mean, content.mean)


def color(content: Gaussian, style: Gaussian) -> AffineMap:
    """Coloring without whitening, to see what it adds: y = S^1/2 (x - m_c) / s + m_s, with s^2 = tr(C) / channels.

    Deviations are scaled to unit average variance, not whitened. A flat content becomes the style's mean.
    """
    style = _alike(content, style)
    scale = _scale(content)
    gain = (scale > 0) / torch.where(scale > 0, scale, 1)
    return AffineMap(gain * style.root, content.mean, style.mean)


def swap(content: Gaussian, style: Gaussian) -> FeatureMap:
    """Style-swap (Chen & Schmidt 2016): every patch becomes the most similar one of the style's.

    Where the style keeps patches, which it does at `wct.swap.SWAP_LEVELS`; `wct` at the other levels: relu5_1 has too
    few patches to choose from, and those of relu2_1 and relu1_1 are too small to show a texture.
    """
    style = _alike(content, style)
    return PatchMap.between(content, style) if isinstance(style, Texture) else wct(content, style)


TRANSFORMS: dict[str, Transform] = {
    "wct": wct,
    "ot": ot,
    "adain": adain,
    "mean": mean,
    "swap": swap,
    "whiten": whiten,
    "color": color,
}


def transform(name: str, rank: int | None = None) -> Transform:
    """The transform of that name.

    Args:
        name: one of `TRANSFORMS`.
        rank: how many leading directions of the style's covariance are transferred: y = x + P (map(x) - x), with P the
            projector on them. 0 changes nothing; None, or the number of channels and above, is the whole map.

    Raises:
        UsageError: there is none, and the message has the nearest name and the whole list; or the rank is not a whole
            number of 0 or more. The transform itself raises it for a rank on a map that is not affine.
    """
    if name not in TRANSFORMS:
        near = get_close_matches(name.lower(), TRANSFORMS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"unknown transform {name!r}; {hint}known are {', '.join(sorted(TRANSFORMS))}")
    whole = TRANSFORMS[name]
    if rank is None:
        return whole
    if not isinstance(rank, int) or rank < 0:
        raise UsageError(f"rank is {rank!r}; it needs a whole number of 0 or more, or None for all directions")

    def partial(content: Gaussian, style: Gaussian) -> FeatureMap:
        found = whole(content, style)
        if not isinstance(found, AffineMap):
            raise UsageError(f"transform {name!r} matches patches, so it has no rank; leave the rank out")
        return found if rank >= style.channels else found.within(style.leading(rank))

    return partial


def _alike(content: Gaussian, style: Gaussian) -> Gaussian:
    """The style on the content's device, if it can be compared with the content."""
    if content.channels != style.channels:
        raise UsageError(
            f"the content has {content.channels} channels and the style {style.channels}; "
            "both have to come from the same level of the same model"
        )
    # The same object where it can be: its square roots are solved once for all contents.
    return style if style.mean.device == content.mean.device else style.to(content.mean.device)


def _uncorrelated(gaussian: Gaussian) -> Gaussian:
    return replace(gaussian, cov=gaussian.cov.diagonal().diag())


def _scale(gaussian: Gaussian) -> torch.Tensor:
    """The root of the average variance over all directions, of what is more than rounding."""
    variance = gaussian.roots.root.square().sum().div(gaussian.channels)
    return (variance > 0) * torch.where(variance > 0, variance, 1).sqrt()
