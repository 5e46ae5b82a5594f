"""Stylizer: the one loop, coarse to fine, and the five-line public API around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from wct.devices import choose_device
from wct.errors import ModelError
from wct.gaussian import Gaussian
from wct.images import Picture, Source, read
from wct.linalg import at, finite
from wct.look import STYLE_SIZE, Look
from wct.models import Model
from wct.models.spec import LEVELS
from wct.style import Style
from wct.transforms import transform

__all__ = ["Progress", "Stylizer"]


@dataclass(frozen=True)
class Progress:
    """One finished step of a stylisation: `done` of `total`, and what it was ("relu4_1 transform")."""

    done: int
    total: int
    what: str


class Stylizer:
    """Puts any style on any picture with one model on one device.

    Args:
        model: a shipped model's name, a model folder, or a loaded Model.
        device: "cpu", "cuda", "mps" or None for the best one there is.

    Raises:
        ModelError: the model is missing or damaged.
        UsageError: the device is not there.
    """

    def __init__(self, model: str | Path | Model = "compact", *, device: str | None = None) -> None:
        self.model = model if isinstance(model, Model) else Model.load(model, device=choose_device(device))

    def style(
        self, *sources: Source | Style, weights: Sequence[float] | None = None, size: int | None = STYLE_SIZE
    ) -> Style:
        """A Style from one or several pictures (anything `wct.images.read` takes) or styles, blended by weight.

        Each picture is encoded in one pass for all levels, after a reduction to `size` on its short side
        where it is larger (None: never). Fully transparent pixels stay out of the statistics.

        Raises:
            InputError: a picture cannot be read.
            UsageError: no source, or weights that do not fit.
            NumericsError: features are not finite.
        """
        styles = [source if isinstance(source, Style) else self._measure(read(source), size) for source in sources]
        return Style.blend(styles, weights)

    def __call__(
        self,
        content: Source,
        style: Source | Style,
        *,
        size: int | None = None,
        progress: Callable[[Progress], None] = lambda _: None,
        **look: Any,
    ) -> Picture:
        """The stylised picture, of exactly the content's height and width, with its alpha.

        Args:
            content: anything `wct.images.read` takes.
            style: a Style of the same model, or a picture.
            size: short side to which the content is resized first; None keeps its size.
            progress: called after every step.
            look: the fields of `wct.look.Look`: alpha, levels, strength, mode, transform.

        Raises:
            InputError: a picture cannot be read.
            UsageError: a setting is out of range.
            ModelError: the style was made by another model.
            NumericsError: features are not finite; the message names the level and the stage.
        """
        chosen = Look(**look)
        picture = read(content)
        picture = picture if size is None else picture.resized(size)
        style = style if isinstance(style, Style) else self.style(style)
        if style.fingerprint != self.model.fingerprint:
            raise ModelError(
                f"style {', '.join(style.names)}: made by another model; make it again with {self.model.card.name!r}"
            )
        steps = count(1)

        def tell(what: str) -> None:
            progress(Progress(next(steps), chosen.steps, what))

        return replace(picture, rgb=self._stylize(picture, style, chosen, tell))

    @torch.inference_mode()
    def _stylize(self, picture: Picture, style: Style, look: Look, tell: Callable[[str], None]) -> Tensor:
        """The loop: at each level encode where the canvas is pixels, map, and decode to pixels or one level down."""
        to_map = transform(look.transform)
        x, depth = self._pixels(picture), 0
        for level in range(max(look.levels), 0, -1):
            name = f"relu{level}_1"
            if level in look.levels:
                if depth == 0:
                    with at(name, "encode"):
                        x, depth = finite(self.model.encoder(x, (level,))[level], "features"), level
                    tell(f"{name} encode")
                with at(name, "transform"):
                    content = Gaussian.of(x, self._weights(picture, x))
                    towards = style.map(content, level, to_map).toward_identity(look.strength_at(level))
                    x = finite(towards(x), "features")
                tell(f"{name} transform")
            if depth == level:
                depth = 0 if look.mode == "cascade" else level - 1
                with at(name, "decode"):
                    for k in range(level, depth, -1):
                        x = finite(self.model.decoder.step(x, k, picture.size), "features")
                tell(f"{name} decode")
        return x[0].clamp(0, 1).float().cpu()

    def _pixels(self, picture: Picture) -> Tensor:
        """The picture (1, 3, H, W) on the device; fully transparent pixels take the mean colour of the others."""
        rgb, opaque = picture.rgb, picture.opaque
        if opaque is not None:
            mean = (rgb * opaque).sum((1, 2)) / opaque.sum()
            rgb = torch.where(opaque > 0, rgb, mean[:, None, None])
        return rgb[None].to(self.model.device, memory_format=torch.channels_last)

    @staticmethod
    def _weights(picture: Picture, features: Tensor) -> Tensor | None:
        """What share of the picture behind each feature (H, W) is not fully transparent."""
        opaque = picture.opaque
        if opaque is None:
            return None
        return F.adaptive_avg_pool2d(opaque.to(features.device), (features.shape[-2], features.shape[-1]))[0]

    @torch.inference_mode()
    def _measure(self, picture: Picture, size: int | None) -> Style:
        if size is not None and min(picture.size) > size:
            picture = picture.resized(size)
        gaussians = {}
        with at(picture.name, "encode"):
            for level, x in self.model.encoder(self._pixels(picture), LEVELS).items():
                gaussians[level] = Gaussian.of(x, self._weights(picture, x))
        return Style((gaussians,), (1.0,), (picture.name,), self.model.fingerprint)
