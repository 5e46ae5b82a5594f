"""Transforms by name: functions of the content's and the style's `Gaussian` that give one `AffineMap`."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches

from wct.errors import UsageError
from wct.gaussian import AffineMap, Gaussian
from wct.linalg import Roots, sqrt_pair

__all__ = ["ROUNDING", "TRANSFORMS", "Transform", "transform", "wct"]

Transform = Callable[[Gaussian, Gaussian], AffineMap]

ROUNDING = 1e-5
"""A standard deviation up to this share of the mean's length counts as zero.

A flat picture's features are not exactly flat: convolutions in float32 round them at about 1e-6 of their size. Without
this, whitening would blow that rounding up to the style's full contrast; real pictures vary by 1e-3 at least.
"""


def wct(content: Gaussian, style: Gaussian) -> AffineMap:
    """Whitening and coloring (Li et al. 2017, section 3.2): E_s D_s^(1/2) E_s^T E_c D_c^(-1/2) E_c^T (x - m_c) + m_s.

    The content's mean goes to the style's. Where the content varies in every direction, its covariance becomes the
    style's; where it does not, the map stays finite: a flat content is moved, a flat style makes it flat.

    Args:
        content: statistics of the features to be mapped, of C channels; the map lives on its device.
        style: statistics of the features to imitate, of the same C channels.

    Raises:
        UsageError: the numbers of channels differ.
        NumericsError: a statistic is not finite.
    """
    if content.channels != style.channels:
        raise UsageError(
            f"the content has {content.channels} channels and the style {style.channels}; "
            "both have to come from the same level of the same model"
        )
    style = style.to(content.mean.device)
    whiten, color = _roots(content), _roots(style)
    # Departure from the paper, which drops the directions in which the content does not vary: they pass with gain 1.
    # What lies there is below the rank cut, so nothing is amplified; style == content is the identity everywhere, a
    # flat content is only moved, and features that the statistics have not seen (soft masks) keep their detail.
    return AffineMap(color.root @ whiten.inverse + whiten.rest, content.mean, style.mean)


def _roots(gaussian: Gaussian) -> Roots:
    """Square roots on the directions in which the features vary by more than rounding."""
    return sqrt_pair(gaussian.cov, floor=float((ROUNDING * gaussian.mean).square().sum()))


TRANSFORMS: dict[str, Transform] = {"wct": wct}


def transform(name: str) -> Transform:
    """The transform of that name.

    Raises:
        UsageError: there is none; the message has the nearest name and the whole list.
    """
    if name in TRANSFORMS:
        return TRANSFORMS[name]
    near = get_close_matches(name.lower(), TRANSFORMS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"unknown transform {name!r}; {hint}known are {', '.join(sorted(TRANSFORMS))}")
