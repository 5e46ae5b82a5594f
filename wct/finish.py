"""The last steps, on pixels: whose colours the result has, its detail, and what is kept of the content."""

from __future__ import annotations

import torch
from torch import Tensor

from wct.canvas import Canvas
from wct.color import lightnesses, luminance_only
from wct.content import Content
from wct.detail import REACH, restore_detail
from wct.fields import Combined, Field
from wct.gaussian import merge
from wct.look import Look
from wct.regions import Layout
from wct.windows import Window

__all__ = ["finished"]


def finished(made: Field, content: Content, layout: Layout, look: Look, canvas: Canvas) -> Field:
    """The result's pixels, sRGB in 0..1 on the CPU, from what the loop made of the content."""
    if look.color == "luminance":
        made = canvas.kept(made)
    made, own = _on_cpu(made), _on_cpu(content.rgb)
    if look.color == "luminance":
        shift = _shift(made, own, content, canvas)
        made = Combined((made, own), lambda _, x, own: luminance_only(x[0], own[0], look.color_strength, shift)[None])
    if look.detail:
        made = Combined((made, own), lambda _, x, own: restore_detail(x[0], own[0], look.detail)[None], REACH)

    def kept(window: Window, x: Tensor, own: Tensor) -> Tensor:
        share = layout.kept(window)
        return x if share is None else torch.lerp(x, own, share)

    return Combined((made, own), kept)


def _on_cpu(field: Field) -> Field:
    return Combined((field,), lambda _, x: x.float().to("cpu", memory_format=torch.contiguous_format))


def _shift(made: Field, own: Field, content: Content, canvas: Canvas) -> float:
    """How much lighter the content is than the result, in the mean of the pixels that count."""
    parts = []
    for window in canvas.windows(made):
        visible = content.visible(window)
        if visible is None or bool(visible.any()):
            both = (field.read(window)[0] for field in (own, made))
            parts.append(lightnesses(*both, weights=visible))
    wanted, found = merge(parts).mean.tolist()
    return float(wanted - found)
