"""Losses on features, for methods that compare pictures instead of mapping them (Gatys et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from wct.gaussian import Gaussian
from wct.models.encoder import Encoder
from wct.models.spec import LEVELS
from wct.style import Style

__all__ = ["CONTENT", "LAYERS", "content_loss", "features", "gram", "gram_of", "style_loss", "total_variation"]

LAYERS = [f"{block}_{i}" for block, count in enumerate((2, 2, 4, 4, 1), 1) for i in range(1, count + 1)]
"""VGG-19's layers up to relu5_1."""

CONTENT = "4_2"
"""The layer whose activations are the content: relu4_2 (Gatys et al. 2016, section 3)."""


def features(
    encoder: Encoder, pictures: Tensor, content: str = CONTENT, levels: Iterable[int] = LEVELS
) -> tuple[Tensor, dict[int, Tensor]]:
    """Activations (N, C, h, w) of the layer `content` and features {level: (N, C, h, w)}, with gradients.

    Args:
        encoder: VGG-19 or a student. A student's features are its heads': VGG-19's leading principal components, whose
            second moments differ as VGG-19's own do.
        pictures: (N, 3, H, W), RGB in 0..1.
        content: of LAYERS.
        levels: of 1 to 5.
    """
    wanted = set(levels)
    activations, found = pictures, {}
    for name, y in encoder.trunk(pictures, LEVELS[-1]):
        if name == content:
            activations = y
        if name.endswith("_1") and int(name[0]) in wanted:
            found[int(name[0])] = encoder.head(y, int(name[0]))
        if len(found) == len(wanted) and LAYERS.index(name) >= LAYERS.index(content):
            break
    return activations, found


def gram(features: Tensor) -> Tensor:
    """(N, C, h, w) to (N, C, C): second moments G = F F^T / M over M = h w places.

    Departure: Gatys et al. (2016, eq. 3) sum over places and divide the loss by M^2. A mean in its place is the same
    for pictures of one size, and compares pictures of different sizes.
    """
    flat = features.flatten(2)
    return flat @ flat.mT / flat.shape[-1]


def gram_of(style: Style, level: int) -> Tensor:
    """(C, C), float64: the second moments of a style, cov + mean mean^T, of several pictures their weighted mean.

    The gradient towards the mean is that of the weighted sum of the losses towards each.
    """
    return torch.stack([part.weights[level] * _moments(part.gaussians[level]) for part in style.parts]).sum(0)


def _moments(gaussian: Gaussian) -> Tensor:
    return gaussian.cov + torch.outer(gaussian.mean, gaussian.mean)


def content_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """|F - P|^2 / |P|^2 of activations (N, C, h, w) (Gatys et al. 2016, eq. 1), mean over N.

    Departure, here and in `style_loss`: each loss is a share of what is wanted. The paper scales every filter of VGG-19
    to a mean activation of one; as they are, relu4_1 would outweigh relu1_1 by 100,000 and a student's features have
    other units again. So a ratio of the losses means the same for all models and sizes, but not the paper's.
    """
    return _share(found, wanted).mean()


def style_loss(found: Mapping[int, Tensor], wanted: Mapping[int, Tensor]) -> Tensor:
    """Mean over levels and N of |G - A|^2 / |A|^2 (Gatys et al. 2016, eq. 4 and 5, with their equal weights w_l).

    Args:
        found: {level: (N, C, C)}, second moments of the pictures.
        wanted: {level: (C, C) or (N, C, C)}, those of the style.
    """
    return torch.stack(
        [_share(moments, wanted[level].expand_as(moments)).mean() for level, moments in found.items()]
    ).mean()


def _share(found: Tensor, wanted: Tensor) -> Tensor:
    """(N,), the squared difference over the square of what is wanted."""
    difference, size = (x.flatten(1).square().sum(1) for x in (found - wanted, wanted))
    return difference / size.clamp_min(torch.finfo(size.dtype).tiny)


def total_variation(pictures: Tensor) -> Tensor:
    """Mean squared difference of neighbours of (N, 3, H, W), down plus right; 0 for a single pixel."""
    down, right = pictures.diff(dim=2).square(), pictures.diff(dim=3).square()
    return sum((one.mean() for one in (down, right) if one.numel()), start=pictures.new_zeros(()))
