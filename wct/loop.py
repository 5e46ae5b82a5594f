"""The one loop: coarse to fine, map the features of each level, and go down to pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from wct.linalg import at, finite
from wct.look import Look
from wct.models import Model
from wct.regions import Layout
from wct.transforms import transform

__all__ = ["Loop"]


@dataclass(frozen=True)
class Loop:
    """One way through the levels for pictures of any size.

    Attributes:
        model: encoder and decoders.
        look: what to do at which level.
        tell: called with what it was after every step, `Look.steps` times in all.
        wrap: the picture is a tile: its left edge continues at its right, its top at its bottom.
    """

    model: Model
    look: Look
    tell: Callable[[str], None]
    wrap: bool = False

    @torch.inference_mode()
    def __call__(self, pixels: Tensor, layout: Layout) -> Tensor:
        """Pixels (1, 3, H, W), RGB in 0..1, to pixels of the same shape, clamped to 0..1."""
        for _ in range(self.look.passes):
            pixels = self._pass(pixels, layout).clamp(0, 1)
        return pixels

    def _pass(self, pixels: Tensor, layout: Layout) -> Tensor:
        x, depth = pixels, 0
        own: Mapping[int, Tensor] = {}
        for level in range(max(self.look.levels), 0, -1):
            name = f"relu{level}_1"
            if level in self.look.levels:
                if depth == 0:
                    with at(name, "encode"):
                        own = self._encode(x, level)
                    x, depth = own[level], level
                    self.tell(f"{name} encode")
                with at(name, "transform"):
                    x = self._map(x, level, layout)
                self.tell(f"{name} transform")
            if depth == level:
                depth = 0 if self.look.mode == "cascade" else level - 1
                with at(name, "decode"):
                    for k in range(level, depth, -1):
                        x = self._step(x, k, pixels, own)
                self.tell(f"{name} decode")
        return x

    def _encode(self, x: Tensor, level: int) -> Mapping[int, Tensor]:
        """Features of a level, and for photos of all levels below it."""
        levels = range(1, level + 1) if self.look.mode == "photo" else (level,)
        features = self.model.encoder(x, levels, self.wrap)
        return {k: finite(feature, "features") for k, feature in features.items()}

    def _map(self, x: Tensor, level: int, layout: Layout) -> Tensor:
        change = transform(self.look.transform, self.look.rank)
        strength = self.look.strength_at(level)
        maps = [
            style.map(content, level, change).toward_identity(strength)
            for style, content in zip(layout.styles, layout.measure(x), strict=True)
        ]
        return finite(layout.apply(maps, x), "features")

    def _step(self, x: Tensor, level: int, pixels: Tensor, own: Mapping[int, Tensor]) -> Tensor:
        """One level down the decoders; for photos with the detail that the decoders alone would lose."""
        size = (pixels.shape[-2], pixels.shape[-1])
        below = self.model.decoder.step(x, level, size, self.wrap)
        if self.look.mode == "photo":
            # What the decoder misses of the picture's own features goes past it, so that without a map nothing changes.
            carried = own[level - 1] if level > 1 else pixels
            below = below + (carried - self.model.decoder.step(own[level], level, size, self.wrap))
        return finite(below, "features")
