"""Styles and regions on the command line: what is measured where."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wct.cli.options import WeightedPath
from wct.errors import UsageError
from wct.images.label import label
from wct.look import Look

if TYPE_CHECKING:
    from torch import Tensor

    from wct.gaussian import Gaussian
    from wct.images import Picture
    from wct.regions import Region
    from wct.style import Style
    from wct.stylizer import Stylizer

__all__ = ["KEEP", "Measure", "RegionPaths", "arranged", "check_regions", "parse_region", "segmented"]

KEEP = "keep"
"""In place of a style: the region stays as it is."""

RegionPaths = tuple[str, str, str | None]
"""(mask, style or KEEP, the style picture's mask)."""


@dataclass(frozen=True)
class Measure:
    """How all styles of one stylisation of a picture of `size` are measured.

    Pictures at `scale`, for a result that is `smaller` times smaller than asked for; `colors` are the picture's, where
    the styles shall take them on; `limit` is the most pixels a file may have.
    """

    stylizer: Stylizer
    size: tuple[int, int]
    look: Look
    scale: float
    smaller: float
    colors: Gaussian | None
    limit: int | None

    def __call__(self, source: str | Picture | Style, mask: str | Tensor | None = None) -> Style:
        """The style of a picture or style file, where its mask is white."""
        from wct.sources import opened
        from wct.style import Style

        # One at a time: of a large style only its statistics stay in memory.
        found = opened(source, self.limit) if isinstance(source, str) else source
        return self.stylizer.style(
            found,
            scale=self.scale if isinstance(found, Style) else self.scale / self.smaller,
            mask=self.mask(mask) if isinstance(mask, str) else mask,
            colors=self.colors,
            color_strength=self.look.color_strength,
            patches=self.look.transform == "swap",
        )

    def mask(self, path: str) -> Picture:
        """The picture in a mask file."""
        from wct.images import read

        return read(path, max_pixels=self.limit)


def parse_region(text: str) -> RegionPaths:
    """`MASK=STYLE` or `MASK=STYLE=STYLEMASK` in its parts; the name of a file that exists may hold = itself.

    Raises UsageError where a part is missing.
    """
    mask, rest = _split(text)
    style, style_mask = (rest, None) if rest is None or rest == KEEP or os.path.exists(rest) else _split(rest)
    if not mask or not style or style_mask == "" or (style == KEEP and style_mask is not None):
        needed = "MASK=STYLE, such as sky.png=wave.jpg, or MASK=keep, or MASK=STYLE=STYLEMASK"
        raise UsageError(f"region {label(text)}: needs {needed}")
    return mask, style, style_mask


def _split(text: str) -> tuple[str, str | None]:
    """The text before and after its first =, or the first one behind the name of a file."""
    cuts = [i for i, letter in enumerate(text) if letter == "="]
    cut = next((i for i in cuts if os.path.exists(text[:i])), cuts[0] if cuts else len(text))
    return text[:cut], text[cut + 1 :] if cuts else None


def check_regions(
    sources: Sequence[WeightedPath],
    regions: Sequence[RegionPaths],
    mask: str | None,
    style_mask: str | None,
    segments: tuple[str, str] | None,
) -> None:
    """UsageError where styles, masks, regions and segments do not go together."""
    if not sources and all(style == KEEP for _, style, _ in regions):
        raise UsageError("no style given; name a picture or style file behind the photo, or a --region MASK=STYLE")
    if mask is not None and regions:
        raise UsageError("--mask and --region: found both; use --region MASK=STYLE for every style")
    if style_mask is not None and len(sources) != 1:
        raise UsageError(f"--style-mask: found {len(sources)} styles; it needs exactly one, --region has one for each")
    if segments is not None and (len(sources) != 1 or regions or mask or style_mask):
        raise UsageError("--segments: needs exactly one style picture, and no masks or regions beside it")


def arranged(regions: Sequence[RegionPaths], rest: Style | None, mask: str | None, measure: Measure) -> list[Region]:
    """The regions of --region options, and of `rest`, within `mask` or for all that the others leave."""
    from wct.regions import Region

    made = [
        Region(None if style == KEEP else measure(style, style_mask), measure.mask(own))
        for own, style, style_mask in regions
    ]
    return made if rest is None else [*made, Region(rest, None if mask is None else measure.mask(mask))]


def segmented(maps: tuple[str, str], source: Picture | Style, measure: Measure) -> list[Region]:
    """The regions of --segments: the picture takes from `source` by the colours of their maps.

    What is in no map of the style's takes the whole of it, and a warning says so.
    """
    import warnings

    from wct.images import Picture, PictureWarning
    from wct.masks import read_segments
    from wct.regions import Region

    if not isinstance(source, Picture):
        raise UsageError(f"style {source.name}: is a style file, which has no regions; --segments needs the picture")
    regions = []
    for one in read_segments(*maps, measure.size, source.size, measure.limit):
        if one.style is None:
            colour = "#{:02x}{:02x}{:02x}".format(*one.color)
            message = f"{label(maps[1])}: has no colour {colour}; that region takes the whole style picture"
            warnings.warn(message, PictureWarning, stacklevel=2)
        regions.append(Region(measure(source, one.style), one.content))
    return regions
