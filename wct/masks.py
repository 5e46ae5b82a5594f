"""Masks: where in a picture something applies, from grey pictures and from pairs of colour-coded maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from wct.errors import InputError, UsageError
from wct.images import DEFAULT_MAX_PIXELS, Picture, Source, read

__all__ = ["MOST_SEGMENTS", "Segment", "read_mask", "read_segments", "resize_mask"]

MOST_SEGMENTS = 32
"""Colours in a map of regions; a picture with more is a photo."""

_GREY = 8
"""Levels of 255 by which the channels of a grey picture may differ."""

_BLACK = 2
"""Levels of 255 below which a mask is black; one saved as 0 and 1 instead of 0 and 255 is."""

_SMALLEST = 1e-3
"""Share of its map that a region has at least; half of that where it shows its colour, away from its border."""

_CLEAN = ((255, 0),)
_NOISY = ((0, 8), (16, 32))
"""Where the colours of a map are looked for, in levels of 255: within how many the 3x3 pixels around a pixel lie, and
how far colours are apart. In a clean map every pixel counts, and labels 7 and 8 are two regions. Smooth edges and the
artefacts of JPEG are not flat: first what is exactly flat, then small regions, which lossy files leave no flat pixel.
"""

_PAINTED, _PAINTED_SHARE = 8, 2 / 3
"""Levels of 255, and the share of a map's pixels that are so close to their region's colour.

Small maps in JPEG of quality 15 have 0.73 or more, photos 0.58 or less unless they are nearly black.
"""

_MATCH = 16
"""Levels of 255 between the same colour in two maps, one of which may be lossy."""

_BORDER = 3
"""Pixels around the inside of a region that may belong to it."""


@dataclass(frozen=True, eq=False)
class Segment:
    """A region by its colour in a pair of maps.

    Attributes:
        color: (r, g, b), 0 to 255, in the content's map.
        content: (H, W) float32, 1 inside and 0 outside.
        style: (h, w) float32, 1 inside and 0 outside; None where the style's map does not have the colour.
    """

    color: tuple[int, int, int]
    content: Tensor
    style: Tensor | None


def read_mask(source: Source, size: tuple[int, int], max_pixels: int | None = DEFAULT_MAX_PIXELS) -> Tensor:
    """The mask of a picture of `size` (H, W): (H, W) float32 in 0..1 on the CPU, 0 outside, 1 inside, grey is soft.

    source: anything `wct.images.read` takes, at the depth that it keeps. A grey picture is the mask itself. Where alpha
        varies the picture is a cut-out, and its alpha is the mask, whatever the colours; one whose visible part is
        grey of several shades could be either, and is refused.
    max_pixels: as in `wct.images.read`.

    Raises InputError, one line, where the picture cannot be read, has another size, has colours or is black.
    """
    picture = read(source, max_pixels=max_pixels)
    _check_size(picture, size)
    mask = _cut_out(picture)
    if mask is None:
        if _saturation(picture.rgb).max() > _GREY / 255:
            hint = "for colour-coded regions use --segments"
            raise InputError(f"{picture.name}: has colours; needs grey (white: inside) - {hint}")
        mask = picture.rgb.mean(0).cpu()
    if (brightest := 255 * float(mask.max())) < _BLACK:
        found = f"is black everywhere (brightest: {brightest:.2g} of 255)"
        raise InputError(f"{picture.name}: {found}, so the region is empty; paint the region white")
    return mask


def resize_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """The mask (H, W) at another size (h, w), in 0..1: means of areas where it shrinks, bilinear where it grows.

    A mask that is not empty stays so. Raises UsageError where a side is below 1.
    """
    height, width = size
    if min(height, width) < 1:
        raise UsageError(f"size: found {height}x{width}; every side must be 1 or more")
    shrunk = interpolate(mask[None, None], (min(height, mask.shape[0]), min(width, mask.shape[1])), mode="area")
    return interpolate(shrunk, (height, width), mode="bilinear", align_corners=False)[0, 0].clamp(0, 1)


def read_segments(
    content_source: Source,
    style_source: Source,
    content_size: tuple[int, int],
    style_size: tuple[int, int],
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
) -> list[Segment]:
    """The regions of a pair of colour-coded maps, largest first: the same colour in both is the same region.

    The format of FastPhotoStyle (Li et al. 2018) and WCT2 (Yoo et al. 2019), with any colours, also in lossy files
    and with smooth edges: regions have 0.1 % of their map or more, and every pixel belongs to one. What is nowhere
    three pixels wide goes to its neighbours. Colours only in the style's map are ignored.

    content_source, style_source: anything `wct.images.read` takes, the maps of pictures of the sizes (H, W), (h, w).

    Raises InputError, one line, where a map cannot be read, has another size, is not opaque, is not made of at most
    `MOST_SEGMENTS` flat colours, or where the maps have no colour in common.
    """
    content, style = (
        _Map.of(read(source, max_pixels=max_pixels), size)
        for source, size in ((content_source, content_size), (style_source, style_size))
    )
    pairs = _pairs(content.colors, style.colors)
    if all(partner is None for partner in pairs):
        hint = "paint what belongs together in the same colour"
        raise InputError(f"{style.name}: has none of the colours of {content.name}; {hint}")
    segments = [
        Segment(
            (int(color[0]), int(color[1]), int(color[2])),
            (content.labels == index).float(),
            None if partner is None else (style.labels == partner).float(),
        )
        for index, (color, partner) in enumerate(zip(content.colors, pairs, strict=True))
    ]
    return sorted(segments, key=lambda segment: -float(segment.content.sum()))


@dataclass(frozen=True, eq=False)
class _Map:
    """A map of regions: what it is called, its colours (N, 3) in 0..255, and the index of each pixel's, (H, W)."""

    name: str
    colors: Tensor
    labels: Tensor

    @classmethod
    def of(cls, picture: Picture, size: tuple[int, int]) -> _Map:
        _check_size(picture, size)
        if picture.alpha is not None and np.ptp(picture.alpha):
            raise InputError(f"{picture.name}: has transparent pixels; a map of regions needs a colour for every pixel")
        levels = (picture.rgb.cpu() * 255).round()
        colors, inside, close = _colors(levels)
        if 0 < len(colors) <= MOST_SEGMENTS:
            labels = _labels(levels, colors, inside, close)
            apart = (levels - colors[labels].movedim(2, 0)).abs().amax(0)
            if (apart <= _PAINTED).float().mean() >= _PAINTED_SHARE:
                return cls(picture.name, colors, labels)
        needed = f"needs 1 to {MOST_SEGMENTS} flat colours, one for each region"
        raise InputError(f"{picture.name}: looks like a photo, not a map of regions; {needed}")


def _colors(levels: Tensor) -> tuple[Tensor, Tensor, int]:
    """The colours (N, 3) of a map (3, H, W), the pixels (H, W) inside of its regions and how close to them these are.

    Stops above `MOST_SEGMENTS`.
    """
    spread = (max_pool2d(levels, 3, 1, 1) + max_pool2d(-levels, 3, 1, 1)).amax(0)
    codes = (levels * torch.tensor([65536.0, 256.0, 1.0])[:, None, None]).sum(0).int()
    clean = torch.isin(codes, codes[spread == 0]).float().mean() >= 1 - _SMALLEST
    colors = levels.new_zeros(0, 3)
    for flat, close in _CLEAN if clean else _NOISY:
        inside = spread <= flat
        colors = _add_peaks(colors, codes[inside], close, _SMALLEST * codes.numel() / 2)
    return colors, inside, close


def _add_peaks(peaks: Tensor, codes: Tensor, close: int, least: float) -> Tensor:
    """Peaks (N, 3) and those (M, 3) of further pixels (P,): the most frequent colours with `least` pixels close by."""
    codes, counts = torch.unique(codes, return_counts=True)
    colors = torch.stack((codes >> 16, codes >> 8 & 255, codes & 255), dim=1).float()
    far = ((colors[:, None] - peaks).abs().amax(2) > close).all(1)
    colors, counts = colors[far], counts[far]
    while counts.sum() >= least and len(peaks) <= MOST_SEGMENTS:
        peak = colors[counts.argmax()]
        near = (colors - peak).abs().amax(1) <= close
        if counts[near].sum() >= least:
            peaks = torch.cat((peaks, peak[None]))
        colors, counts = colors[~near], counts[~near]
    return peaks


def _labels(levels: Tensor, colors: Tensor, inside: Tensor, close: int) -> Tensor:
    """The index (H, W) of each pixel's colour: the nearest of those that regions nearby have.

    Not of all: the edge between black and white passes through the grey of a third region, which is not there.
    """
    best, labels = torch.full_like(levels[0], torch.inf), torch.zeros_like(inside, dtype=torch.int64)
    for index, color in enumerate(colors):
        apart = levels - color[:, None, None]
        own = inside & (apart.abs().amax(0) <= close)
        nearby = max_pool2d(own[None].float(), 2 * _BORDER + 1, 1, _BORDER)[0] > 0
        distance = apart.square().sum(0) + torch.where(nearby, 0, 4 * 255**2)
        labels = torch.where(distance < best, index, labels)
        best = torch.minimum(best, distance)
    return labels


def _pairs(content: Tensor, style: Tensor) -> list[int | None]:
    """For each of the content's colours (N, 3) the index of the same among the style's (M, 3), or None.

    The same are two that are closer than half the distance of any two colours within a map.
    """
    gaps = torch.cat([torch.pdist(colors, p=torch.inf) for colors in (content, style)])
    limit = min([_MATCH, *(gaps / 2).tolist()])
    apart, partners = torch.cdist(content, style, p=torch.inf).min(1)
    return [
        partner if distance < limit else None
        for distance, partner in zip(apart.tolist(), partners.tolist(), strict=True)
    ]


def _cut_out(picture: Picture) -> Tensor | None:
    """The alpha (H, W) of a cut-out in 0..1, or None where the picture is opaque or equally transparent everywhere."""
    if picture.alpha is None or not np.ptp(picture.alpha):
        return None
    alpha = torch.from_numpy(picture.alpha.astype(np.float32)) / float(np.iinfo(picture.alpha.dtype).max)
    visible = picture.rgb.cpu()[:, alpha >= alpha.max() / 2]
    if _saturation(visible).max() <= _GREY / 255 and visible.max() - visible.min() > _GREY / 255:
        raise InputError(
            f"{picture.name}: has both shades of grey and transparency, either could be the mask; "
            "save one of them alone, as opaque grey"
        )
    return alpha


def _saturation(rgb: Tensor) -> Tensor:
    return rgb.amax(0) - rgb.amin(0)


def _check_size(picture: Picture, size: tuple[int, int]) -> None:
    if picture.size != tuple(size):
        (height, width), (rows, columns) = picture.size, size
        needed = f"needed {columns}x{rows} (width x height) like its picture"
        raise InputError(f"{picture.name}: is {width}x{height} pixels; {needed}; resize the mask to the picture")
