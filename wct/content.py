"""Content: a picture as the loop takes it, in memory or in a file."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wct.fields import Combined, Field, Held, placed_on
from wct.gaussian import Gaussian, merge
from wct.images import Picture
from wct.windows import Size, Window, tiles

__all__ = ["Content"]

_SIDE = 1024
"""Pixels: of the windows by which pixels are looked through."""


@dataclass(frozen=True, eq=False)
class Content:
    """What is stylised.

    Attributes:
        name: where it came from, for messages.
        rgb: its pixels, sRGB in 0..1, on the CPU.
        opaque: (H, W), 0 for fully transparent pixels and 1 for all others; None where every pixel counts.
    """

    name: str
    rgb: Field
    opaque: Tensor | None = None

    @classmethod
    def of(cls, picture: Picture) -> Content:
        """A picture in memory."""
        opaque = picture.opaque
        return cls(picture.name, Held(0, picture.rgb[None].cpu()), None if opaque is None else opaque[0].cpu())

    @property
    def size(self) -> Size:
        """(H, W)."""
        return self.rgb.size

    def visible(self, window: Window) -> Tensor | None:
        """(h, w), 1 for the pixels of a window that count; None where all do."""
        return None if self.opaque is None else window.of(self.opaque).float()

    def colors(self) -> Gaussian:
        """The Gaussian of its pixels: RGB is a level too."""
        parts = []
        for window in tiles(self.size, _SIDE):
            visible = self.visible(window)
            if visible is None or bool(visible.any()):
                parts.append(Gaussian.of(self.rgb.read(window), visible))
        return merge(parts)

    def pixels(self, device: torch.device) -> Field:
        """What is encoded, on a device: fully transparent pixels take the mean colour of the others."""
        if self.opaque is None:
            return placed_on(device, self.rgb)
        mean = self.colors().mean.float()[:, None, None]

        def filled(window: Window, x: Tensor) -> Tensor:
            visible = self.visible(window)
            return x if visible is None else torch.where(visible.to(x.device) > 0, x, mean.to(x.device))

        return placed_on(device, Combined((self.rgb,), filled))
