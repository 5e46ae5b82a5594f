"""Quick small results of one photo: it is encoded once, and each style is measured once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from wct.canvas import Canvas
from wct.content import Content
from wct.fields import Field
from wct.images import Picture
from wct.look import Look
from wct.masks import resize_mask
from wct.sources import preview_factor
from wct.style import Style
from wct.stylizer import Stylizer

__all__ = ["SIDE", "Preview"]

SIDE = 256
"""Short side in pixels."""


@dataclass(frozen=True)
class _Remembering(Canvas):
    """A canvas for one picture and one way down the levels: it is encoded once, however often it is stylised."""

    known: dict[tuple[int, ...], Mapping[int, Field]] = field(default_factory=dict)

    def encoded(self, pixels: Field, levels: Sequence[int]) -> Mapping[int, Field]:
        key = tuple(levels)
        if key not in self.known:
            self.known[key] = super().encoded(pixels, levels)
        return self.known[key]


class Preview:
    """Stylises a photo small, as `stylizer(photo, ..., size=size, preview=SIDE)` does, and faster each further time.

    Args:
        stylizer: does the work.
        photo: the picture.
        size: short side of the result that is previewed.
    """

    def __init__(self, stylizer: Stylizer, photo: Picture, size: int) -> None:
        self.stylizer, self.source, self.size = stylizer, photo, size
        self.factor = preview_factor(photo.size, size, SIDE)
        self.photo = photo.resized(min(size, SIDE))
        self._content = Content.of(self.photo)
        self._canvas, self._noise = _Remembering(stylizer.model), 0.0
        self._styles: dict[tuple[Picture, bool], Style] = {}

    def __call__(
        self, sources: Sequence[Picture | Style], weights: Sequence[float], look: Look, mask: Tensor | None
    ) -> Picture:
        """The photo in a blend of styles, in mode "single" and one pass; the mask (H, W), of any size, says where.

        Raises what a stylisation raises.
        """
        if look.noise != self._noise:  # another picture is encoded
            self._canvas, self._noise = _Remembering(self.stylizer.model), look.noise
        style = Style.blend([self._measured(source, look.color == "content") for source in sources], weights)
        inside = None if mask is None else resize_mask(mask, self.photo.size)
        painted = self.stylizer.painted(self._content, [(style, inside)], self._canvas, look, scale=1 / self.factor)
        return replace(self.photo, rgb=self._canvas.collected(painted)[0])

    def _measured(self, source: Picture | Style, recolored: bool) -> Style:
        if isinstance(source, Style):
            return source
        if (source, recolored) not in self._styles:
            colors = self._content.colors() if recolored else None
            self._styles[source, recolored] = self.stylizer.style(source, scale=1 / self.factor, colors=colors)
        return self._styles[source, recolored]
