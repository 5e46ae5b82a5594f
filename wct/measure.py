"""Measuring a style picture: its Gaussian at every level, from one encoder pass."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor

from wct.canvas import Canvas
from wct.content import Content
from wct.gaussian import Gaussian
from wct.images import Picture, PictureWarning
from wct.linalg import at
from wct.models import Model
from wct.models.spec import LEVELS
from wct.regions import pooled, supported, too_few
from wct.style import Part, Style
from wct.swap import Texture
from wct.windows import Window

__all__ = ["measure"]

THUMBNAIL = 96
"""Long side in pixels of the small picture that a style keeps of its source."""


@torch.inference_mode()
def measure(model: Model, picture: Picture, weights: Tensor | None, matched: Collection[int]) -> Style:
    """The Style of a picture where `weights` (H, W) say, with patches at the `matched` levels.

    Fully transparent pixels stay out of the statistics. Raises NumericsError where features are not finite.
    """
    opaque, canvas = picture.opaque, Canvas(model)
    inside = None
    if weights is not None:
        inside = weights[None] if opaque is None else weights * opaque.cpu()
        if float(weights.min()) < 1 and (few := too_few(inside)):
            warnings.warn(f"the mask of style {picture.name} has {few}", PictureWarning, stacklevel=3)
    gaussians = {}
    with at(picture.name, "encode"):
        for level, field in canvas.encoded(Content.of(picture).pixels(model.device), LEVELS).items():
            x = field.read(Window.whole(field.size))
            kind = Texture if level in matched else Gaussian
            whole = kind.of(x, None if opaque is None else pooled(opaque, level)[0])
            if inside is not None:
                whole = supported(kind.of(x, pooled(inside, level)[0]), whole)
            gaussians[level] = whole
    part = Part(Path(picture.name).name, gaussians, dict.fromkeys(LEVELS, 1.0), picture.within(THUMBNAIL))
    return Style((part,), model.fingerprint, model=model.card.name)
