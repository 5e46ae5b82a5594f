"""The picture: pixels in sRGB, and the alpha that came with them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from wct.errors import UsageError
from wct.images.defaults import DEFAULT_QUALITY
from wct.images.encoder import WHITE, encode, to_image
from wct.images.label import label
from wct.images.output import write
from wct.images.size import resize, resize_alpha

__all__ = ["Picture"]

SHOWN = 1536
"""Pixels: the longest side of what a notebook shows, and keeps."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in memory, upright.

    rgb:   (3, H, W) float32, sRGB in 0..1, on any device. Pixels under full transparency keep their hidden colour.
    alpha: (H, W) uint8 or uint16 as it was in the file, or None for an opaque picture.
    name:  where it came from, for messages.

    Raises UsageError where the parts do not fit together.

    Examples:
        >>> from wct.images import read
        >>> from wct.samples import paint
        >>> picture = paint("waves").resized((30, 40))
        >>> picture.save("small.png")
        >>> read("small.png")
        <Picture small.png: 40x30>
    """

    rgb: torch.Tensor
    alpha: NDArray[Any] | None = None
    name: str = "<picture>"

    def __post_init__(self) -> None:
        if self.rgb.ndim != 3 or self.rgb.shape[0] != 3 or self.rgb.numel() == 0 or self.rgb.dtype != torch.float32:
            found = f"{tuple(self.rgb.shape)} {self.rgb.dtype}"
            raise UsageError(f"{self.name}: found pixels of {found}; needed float32 (3, H, W), H and W above 0")
        if self.alpha is not None and (self.alpha.shape != self.size or self.alpha.dtype not in (np.uint8, np.uint16)):
            found = f"{self.alpha.shape} {self.alpha.dtype}"
            raise UsageError(f"{self.name}: found an alpha of {found}; it needs uint8 or uint16 of {self.size}")

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[2]

    @property
    def opaque(self) -> torch.Tensor | None:
        """Weights (1, H, W) float32 for statistics: 0 for fully transparent pixels, 1 for all others.

        None where every pixel counts: without alpha, with no fully transparent pixel, and where the whole
        picture is transparent and its hidden colours are all there is. On the device of `rgb`.
        """
        if self.alpha is None:
            return None
        visible = self.alpha > 0
        if visible.all() or not visible.any():
            return None
        return torch.from_numpy(visible.astype(np.float32))[None].to(self.rgb.device)

    def resized(self, size: tuple[int, int] | int) -> Picture:
        """This picture at another size, (h, w) or the length of the short side; see `resize`.

        The hidden colours of fully transparent pixels do not bleed into their visible neighbours.
        """
        if self.alpha is None:
            return Picture(resize(self.rgb, size), None, self.name)
        rgb, weights = resize(self.rgb, size), self.opaque
        if weights is not None and rgb is not self.rgb:
            share = resize(weights, size)
            visible = resize(self.rgb * weights, size) / share.clamp_min(1e-3)
            rgb = torch.where(share > 1e-3, visible, rgb).clamp(0, 1)
        return Picture(rgb, resize_alpha(self.alpha, size), self.name)

    def within(self, side: int) -> Picture:
        """This picture, reduced where its long side has more than `side` pixels."""
        scale = side / max(self.size)
        if scale >= 1:
            return self
        return self.resized((max(1, round(self.size[0] * scale)), max(1, round(self.size[1] * scale))))

    def __repr__(self) -> str:
        return f"<Picture {label(self.name)}: {self.size[1]}x{self.size[0]}>"

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return self.within(SHOWN).png()

    def png(self) -> bytes:
        """A PNG file of 8 bits per channel, for what takes bytes, such as `ipywidgets.Image`."""
        return encode(self, "PNG", quality=DEFAULT_QUALITY, background=WHITE, bits=8, comment=None)

    def to_pil(self) -> Image.Image:
        """A Pillow picture of 8 bits per channel: RGB, or RGBA where there is alpha (16-bit alpha is rounded)."""
        return to_image(self)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        inputs: Iterable[str | os.PathLike[str]] = (),
        quality: int = DEFAULT_QUALITY,
        background: tuple[int, int, int] = WHITE,
        bits: int = 8,
        comment: str | None = None,
        exif: bytes | None = None,
    ) -> None:
        """Write this picture to `path`; see `wct.images.write`."""
        write(
            self,
            path,
            overwrite=overwrite,
            inputs=inputs,
            quality=quality,
            background=background,
            bits=bits,
            comment=comment,
            exif=exif,
        )
