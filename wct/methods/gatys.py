"""Optimisation of the pixels: Gatys, Ecker & Bethge, Image Style Transfer Using Convolutional Neural Networks, 2016."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wct.color import lightnesses, luminance_only
from wct.content import Content
from wct.errors import UsageError
from wct.images import Picture, Source
from wct.linalg import finite
from wct.methods.hidden import kept, shown
from wct.methods.perceptual import content_loss, features, gram, gram_of, style_loss
from wct.methods.stopped import Stopped
from wct.models.spec import LEVELS
from wct.progress import Progress, Steps
from wct.style import Style
from wct.stylizer import Stylizer

__all__ = ["RATIO", "STARTS", "Target", "gatys"]

RATIO = 0.03
"""alpha / beta, the weight of the content over that of the style, see `content_loss`."""

STARTS = ("content", "noise")
COLORS = ("style", "content", "luminance")

COARSE = 512
"""Pixels of the short side from which on a picture is made coarse to fine."""

LARGE = 1024
"""Pixels of the short side from which on Adam takes the place of L-BFGS, whose history holds 40 pictures."""

HISTORY = 20
FINE = 0.3
"""Share of the iterations that every finer scale takes."""

ADAM_RATE = 0.02
"""Of pixels in 0..1."""


@dataclass(frozen=True)
class Target:
    """What the pixels are optimised for.

    Attributes:
        stylizer: whose encoder looks.
        content: activations (1, C, h, w) of the layer of the content.
        style: {level: (C, C)}, second moments.
        ratio: alpha / beta.
        anchors: pixels (1, 3, H, W) to stay near to, with their weights (H, W).
    """

    stylizer: Stylizer
    content: Tensor
    style: dict[int, Tensor]
    ratio: float
    anchors: Sequence[tuple[Tensor, Tensor]] = ()

    @classmethod
    def of(cls, stylizer: Stylizer, content: Tensor, style: Style, ratio: float = RATIO) -> Target:
        """From the pixels (1, 3, H, W) of the content."""
        with torch.no_grad():
            activations, _ = features(stylizer.model.encoder, content, levels=())
        wanted = {level: gram_of(style, level).to(content) for level in LEVELS}
        return cls(stylizer, activations, wanted, ratio)

    def loss(self, pixels: Tensor) -> Tensor:
        """alpha L_content + beta L_style (eq. 7), over beta, and the mean squared distance to the anchors."""
        activations, found = features(self.stylizer.model.encoder, pixels)
        loss = style_loss({level: gram(one) for level, one in found.items()}, self.style)
        loss = loss + self.ratio * content_loss(activations, self.content)
        for anchor, weights in self.anchors:
            loss = loss + (weights * (pixels - anchor).square()).mean()
        return loss

    def optimised(self, pixels: Tensor, count: int, steps: Steps) -> tuple[Tensor, bool]:
        """The best pixels (1, 3, H, W) in 0..1 of `count` iterations, and whether Ctrl-C ended them."""
        pixels = pixels.clone().requires_grad_(True)
        best, least, done = pixels.detach().clone(), math.inf, 0

        def closure() -> float:
            nonlocal best, least, done
            if done == count:
                raise _EnoughError
            optimiser.zero_grad()
            loss = finite(self.loss(pixels), "the loss")
            torch.autograd.backward(loss)
            if (value := loss.item()) < least:
                best, least = pixels.detach().clone(), value
            done += 1
            steps.step(f"loss {least:.3g}")
            return value

        optimiser = _optimiser(pixels)
        try:
            while True:
                optimiser.step(closure)
        except (_EnoughError, KeyboardInterrupt) as end:
            return best.clamp(0, 1), isinstance(end, KeyboardInterrupt)


def gatys(
    stylizer: Stylizer,
    content: Picture,
    style: Source | Style,
    *,
    iterations: int = 300,
    ratio: float = RATIO,
    start: str | Picture = STARTS[0],
    color: str = "style",
    color_strength: float = 1.0,
    seed: int = 0,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Picture:
    """The content with pixels optimised until its second moments of relu1_1 … relu5_1 are the style's.

    L-BFGS from the content, from white noise (the paper's; `seed`), or from any picture, such as a stylised one to
    refine. Pictures whose short side is above 512 pixels are made coarse to fine (Gatys et al. 2017, section 6); from
    1024 on Adam does the work, whose memory is smaller.

    Args:
        stylizer: whose model looks; its decoders are not used.
        content: gives size, layout and alpha.
        style: a style of that model, of one picture or several by weight, or a picture.
        iterations: of the coarsest scale, 1 or more; the finer ones take a third of them each.
        ratio: weight of the content over the style's, above 0; smaller is more style.
        start: "content", "noise" or a picture, which has its large shapes and so is not made coarse to fine.
        color: whose colours (Gatys et al. 2016, Preserving Color): "style"; "content", where the style picture takes on
            the content's first; "luminance", where only lightness changes.
        color_strength: 0 (the style's colours) to 1 (all that `color` says).
        progress: called after every iteration.

    Raises:
        UsageError: a setting is out of range, or a saved style holds its own colours where the content's are asked for.
        ModelError: the style was made by another model.
        NumericsError: the loss is not finite.
        Stopped: by Ctrl-C; holds the best picture so far.

    Examples:
        >>> import wct
        >>> from wct.samples import paint
        >>> gatys(wct.Stylizer(), paint("waves").resized(32), paint("mosaic").resized(48), iterations=2)
        <Picture waves: 32x32>
    """
    if iterations < 1 or not 0 < ratio < math.inf:
        raise UsageError(f"gatys: found {iterations} iterations at ratio {ratio}; needs 1 or more, and above 0")
    if color not in COLORS:
        raise UsageError(f"gatys: found color {color!r}; needs one of {', '.join(COLORS)}")
    sizes = [content.size] if isinstance(start, Picture) else scales(content.size)
    counts = [iterations] + [max(1, round(FINE * iterations))] * (len(sizes) - 1)
    steps = Steps(progress, sum(counts))
    known = _style(stylizer, style, content, color, color_strength)
    made, stopped = _first(start, shown(content), sizes[0], seed), False
    for size, count in zip(sizes, counts, strict=True):
        pixels = shown(content).resized(size).rgb[None].to(stylizer.model.device)
        target = Target.of(stylizer, pixels, known, ratio)
        found, stopped = target.optimised(made.resized(size).rgb[None].to(pixels), count, steps)
        made = Picture(found[0].cpu())
        if stopped:
            break
    rgb = made.resized(content.size).rgb
    if color == "luminance":
        own = content.rgb.to(rgb)
        wanted, found = lightnesses(own, rgb, weights=Content.of(content).opaque).mean.tolist()
        rgb = luminance_only(rgb, own, color_strength, wanted - found)
    result = kept(content, rgb)
    if stopped:
        raise Stopped(result)
    return result


def scales(size: tuple[int, int]) -> list[tuple[int, int]]:
    """The sizes (H, W) from coarse to fine, halves of each other, the last one being `size`."""
    found = [size]
    while min(found[0]) > COARSE:
        h, w = found[0]
        found.insert(0, ((h + 1) // 2, (w + 1) // 2))
    return found


def _style(stylizer: Stylizer, style: Source | Style, content: Picture, color: str, strength: float) -> Style:
    if not isinstance(style, Style):
        return stylizer.style(style, colors=content if color == "content" else None, color_strength=strength)
    style.check(stylizer.model, color)
    return style


def _first(start: str | Picture, content: Picture, size: tuple[int, int], seed: int) -> Picture:
    """What the optimisation starts from, of `size`."""
    if isinstance(start, Picture):
        return start.resized(size)
    if start == "content":
        return content.resized(size)
    if start == "noise":
        return Picture(torch.rand(3, *size, generator=torch.Generator().manual_seed(seed)))
    raise UsageError(f"gatys: found start {start!r}; needs one of {', '.join(STARTS)}, or a picture")


def _optimiser(pixels: Tensor) -> torch.optim.Optimizer:
    if min(pixels.shape[-2:]) >= LARGE:
        return torch.optim.Adam([pixels], lr=ADAM_RATE)
    # Losses are shares, far below what the default tolerances of L-BFGS take for flat.
    return torch.optim.LBFGS(
        [pixels], tolerance_grad=0, tolerance_change=0, history_size=HISTORY, line_search_fn="strong_wolfe"
    )


class _EnoughError(Exception):
    """All iterations are done."""
