"""Regions: which style each pixel of a picture takes, softly, and which pixels stay as they are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from wct.errors import UsageError
from wct.gaussian import Gaussian, merge
from wct.images import Picture, PictureWarning, Source
from wct.maps import AffineMap, FeatureMap
from wct.style import Style

__all__ = ["Layout", "Region", "layout", "pooled", "supported"]

SPREAD = 32
"""Pixels: how far from a region its style still counts where no region is, next to kept pixels."""

KEPT = 1e-3
"""Share below which no region takes a feature."""

SMALL = 64 * 64
"""Pixels: a region below it has fewer than 16 features at relu5_1."""


@dataclass(frozen=True, eq=False)
class Region:
    """Part of a picture and the style it takes.

    Attributes:
        style: a Style, a picture to take it from, or None to keep the pixels as they are.
        mask: a grey picture of the content's size (white: inside, grey: softly), as a file or (H, W) tensor in 0..1.
            None: all that the other regions leave. Where masks overlap they share the pixel; what no region
            takes is kept.
    """

    style: Style | Source | None
    mask: Source | Tensor | None = None


@dataclass(frozen=True, eq=False)
class Layout:
    """The styles on a picture of H by W pixels.

    Attributes:
        styles: one for each region that is not kept, at least one.
        shares: (R, H, W) float32 in 0..1, how much of each pixel belongs to each of them; the rest is kept.
            None: the only style takes every pixel.
    """

    styles: tuple[Style, ...]
    shares: Tensor | None

    @property
    def kept(self) -> Tensor | None:
        """(H, W) in 0..1, how much of each pixel stays as it is; None where none does."""
        if self.shares is None:
            return None
        kept = 1 - self.shares.sum(0).clamp(0, 1)
        return kept if bool(kept.any()) else None

    def measure(self, x: Tensor) -> list[Gaussian]:
        """The content's Gaussian in each region, from features (1, C, h, w) of the whole picture."""
        if self.shares is None:
            return [Gaussian.of(x)]
        shares = pooled(self.shares, x)
        parts = [Gaussian.of(x, share) for share in shares]
        if len(parts) == 1 or all(part.n >= part.channels for part in parts):
            return parts
        whole = Gaussian.of(x, shares.sum(0))
        return [supported(part, whole) for part in parts]

    def apply(self, maps: Sequence[FeatureMap], x: Tensor) -> Tensor:
        """Features (1, C, h, w), mapped in each region by its map and mixed where regions share a pixel."""
        if self.shares is None or len(maps) == 1:
            return maps[0](x)
        shares = pooled(self.shares, x)
        taken = shares.sum(0)
        # Kept pixels take the nearest style as far as features go, or the next region would fade at its border; the
        # picture's own pixels are put back at the end.
        shares = torch.where(taken > KEPT, shares, _nearby(self.shares, x))
        shares = shares / shares.sum(0)
        flat, mixed = x.flatten(2), torch.zeros_like(x).flatten(2)
        for one, share in zip(maps, shares.flatten(1), strict=True):
            if isinstance(one, AffineMap):
                inside = share.nonzero()[:, 0]
                mixed[0].index_add_(1, inside, share[inside] * one(flat[0][:, inside]))
            else:
                mixed += share * one(x).flatten(2)
        return mixed.view(x.shape)


def layout(picture: Picture, styles: Sequence[Style | None], masks: Sequence[Tensor | None]) -> Layout:
    """How regions with `styles` (None: kept) and `masks` ((H, W) in 0..1, None: the rest) share a picture's pixels.

    Fully transparent pixels are kept.

    Raises:
        UsageError: more than one region has no mask, or no pixel is left for a style.
    """
    rests = [i for i, mask in enumerate(masks) if mask is None]
    if not masks:
        raise UsageError("no region given; needs at least one")
    if len(rests) > 1:
        raise UsageError(f"{len(rests)} regions have no mask; only one can be the rest of the picture")
    opaque = picture.opaque
    if len(masks) == 1 and rests and opaque is None and styles[0] is not None:
        return Layout((styles[0],), None)
    given = torch.stack([torch.zeros(picture.size) if mask is None else mask for mask in masks])
    shares = given / given.sum(0).clamp(min=1)
    for rest in rests:
        shares[rest] = (1 - shares.sum(0)).clamp(0, 1)
    shares = shares if opaque is None else shares * opaque
    taken = [(style, share) for style, share in zip(styles, shares, strict=True) if style is not None and share.any()]
    if not taken:
        raise UsageError(
            f"{picture.name}: no pixel is left for a style; check the masks, and that a region has a style"
        )
    for style, share in taken:
        if len(taken) > 1 and (pixels := float(share.sum())) < SMALL:
            few = f"only {max(1, pixels):.0f} pixels, too few for statistics of its own; it borrows the whole picture's"
            warnings.warn(f"the region of style {style.name} has {few}", PictureWarning, stacklevel=2)
    return Layout(tuple(style for style, _ in taken), torch.stack([share for _, share in taken]))


def supported(part: Gaussian, whole: Gaussian) -> Gaussian:
    """The Gaussian of a part of a picture, with what it lacks taken from the whole.

    Fewer pixels than channels say nothing about most directions: the missing ones count as typical of the picture.
    """
    missing = part.channels - part.n
    if missing <= 0:
        return part
    both = merge((part, replace(whole, n=missing)))
    return replace(part, n=both.n, mean=both.mean, cov=both.cov)


def pooled(shares: Tensor, x: Tensor) -> Tensor:
    """Shares (R, H, W) of pixels as those (R, h, w) of features (1, C, h, w)."""
    return F.adaptive_avg_pool2d(shares.to(x.device), (x.shape[-2], x.shape[-1]))


def _nearby(shares: Tensor, x: Tensor) -> Tensor:
    """Faint shares (R, h, w) that reach beyond the regions, above 0 everywhere."""
    height, width = (max(1, side // SPREAD) for side in shares.shape[1:])
    coarse = F.adaptive_avg_pool2d(shares.to(x.device), (height, width))
    spread = F.interpolate(coarse[None], x.shape[-2:], mode="bilinear", align_corners=False)[0]
    return 1e-3 * spread + 1e-6
