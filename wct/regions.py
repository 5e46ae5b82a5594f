"""Regions: which style each pixel of a picture takes, softly, and which pixels stay as they are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from wct.content import Content
from wct.errors import UsageError
from wct.gaussian import Gaussian, merge
from wct.images import PictureWarning, Source
from wct.maps import AffineMap, FeatureMap
from wct.models.encoder import halved
from wct.style import Style
from wct.transforms import Transform
from wct.windows import Size, Window

__all__ = ["Layout", "Region", "layout", "pooled", "supported", "too_few"]

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

    Examples:
        >>> import torch, wct
        >>> from wct.samples import paint
        >>> picture, left = paint("waves").resized(48), torch.zeros(48, 48)
        >>> left[:, :24] = 1
        >>> result = wct.Stylizer()(picture, [wct.Region(paint("mosaic"), left), wct.Region(None)])
        >>> torch.equal(result.rgb[..., 32:], picture.rgb[..., 32:])
        True
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

    def kept(self, window: Window) -> Tensor | None:
        """(h, w) in 0..1, how much of each of a window's pixels stays as it is; None where none does."""
        if self.shares is None:
            return None
        kept = 1 - window.of(self.shares).sum(0).clamp(0, 1)
        return kept if bool(kept.any()) else None

    def measure(self, level: int, x: Tensor, window: Window) -> list[Gaussian | None]:
        """The Gaussian of each region's part in a window, from features (1, C, h, w); None where it has none."""
        if self.shares is None:
            return [Gaussian.of(x)]
        shares = self._at(level, window).to(x.device)
        return [Gaussian.of(x, share) if bool(share.any()) else None for share in shares]

    def maps(self, parts: Sequence[Gaussian | None], level: int, change: Transform) -> list[FeatureMap]:
        """The map of each region, from the Gaussians of its parts of all windows, `joined`."""
        found = [part for part in parts if part is not None]
        if len(found) > 1:
            whole = merge(found)
            found = [supported(part, whole) for part in found]
        return [style.map(part, level, change) for style, part in zip(self.styles, found, strict=True)]

    def apply(self, maps: Sequence[FeatureMap], level: int, window: Window, x: Tensor) -> Tensor:
        """A window's features (1, C, h, w), mapped in each region by its map and mixed where regions share a pixel."""
        if self.shares is None or len(maps) == 1:
            return maps[0](x)
        shares = self._at(level, window).to(x.device)
        taken = shares.sum(0)
        # Kept pixels take the nearest style as far as features go, or the next region would fade at its border; the
        # picture's own pixels are put back at the end.
        shares = torch.where(taken > KEPT, shares, self._nearby(level, window).to(x.device))
        shares = shares / shares.sum(0)
        flat, mixed = x.flatten(2), torch.zeros_like(x).flatten(2)
        for one, share in zip(maps, shares.flatten(1), strict=True):
            if isinstance(one, AffineMap):
                inside = share.nonzero()[:, 0]
                mixed[0].index_add_(1, inside, share[inside] * one(flat[0][:, inside]))
            else:
                mixed += share * one(x).flatten(2)
        return mixed.view(x.shape)

    def _at(self, level: int, window: Window) -> Tensor:
        """Shares (R, h, w) of a window's features."""
        assert self.shares is not None
        return pooled(window.scaled(2 ** (level - 1), _size(self.shares)).of(self.shares), level)

    def _nearby(self, level: int, window: Window) -> Tensor:
        """Faint shares (R, h, w) that reach beyond the regions, above 0 everywhere."""
        assert self.shares is not None
        size = halved(_size(self.shares), level)
        places = [
            (2 * torch.arange(start, stop) + 1) / length - 1
            for start, stop, length in ((window.top, window.bottom, size[0]), (window.left, window.right, size[1]))
        ]
        rows, columns = torch.meshgrid(*places, indexing="ij")
        at = torch.stack([columns, rows], -1)[None]
        spread = F.grid_sample(self._coarse[None], at, mode="bilinear", padding_mode="border", align_corners=False)
        return 1e-3 * spread[0] + 1e-6

    @cached_property
    def _coarse(self) -> Tensor:
        """Shares of squares of `SPREAD` pixels."""
        assert self.shares is not None
        height, width = (max(1, side // SPREAD) for side in _size(self.shares))
        return F.adaptive_avg_pool2d(self.shares, (height, width))


def layout(content: Content, styles: Sequence[Style | None], masks: Sequence[Tensor | None]) -> Layout:
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
    opaque = content.opaque
    if len(masks) == 1 and rests and opaque is None and styles[0] is not None:
        return Layout((styles[0],), None)
    given = torch.stack([torch.zeros(content.size) if mask is None else mask for mask in masks])
    shares = given / given.sum(0).clamp(min=1)
    for rest in rests:
        shares[rest] = (1 - shares.sum(0)).clamp(0, 1)
    shares = shares if opaque is None else shares * opaque
    taken = [(style, share) for style, share in zip(styles, shares, strict=True) if style is not None and share.any()]
    if not taken:
        raise UsageError(
            f"{content.name}: no pixel is left for a style; check the masks, and that a region has a style"
        )
    for style, share in taken:
        if len(taken) > 1 and (few := too_few(share)):
            warnings.warn(f"the region of style {style.name} has {few}", PictureWarning, stacklevel=2)
    return Layout(tuple(style for style, _ in taken), torch.stack([share for _, share in taken]))


def too_few(share: Tensor) -> str | None:
    """In words, that a part of a picture, share (H, W) in 0..1, has too few pixels; None where it has enough."""
    pixels = float(share.sum())
    if pixels >= SMALL:
        return None
    return f"only {max(1, pixels):.0f} pixels, too few for statistics of its own; it borrows the whole picture's"


def supported(part: Gaussian, whole: Gaussian) -> Gaussian:
    """The Gaussian of a part of a picture, with what it lacks taken from the whole.

    Fewer pixels than channels say nothing about most directions: the missing ones count as typical of the picture.
    """
    missing = part.channels - part.n
    if missing <= 0:
        return part
    both = merge((part, replace(whole, n=missing)))
    return replace(part, n=both.n, mean=both.mean, cov=both.cov)


def pooled(shares: Tensor, level: int) -> Tensor:
    """Shares (R, H, W) of pixels as those of the features of a level, which see as much of each as of the others."""
    side = 2 ** (level - 1)
    return F.avg_pool2d(shares[None], side, ceil_mode=True)[0]


def _size(shares: Tensor) -> Size:
    return shares.shape[-2], shares.shape[-1]
