"""Stylizer: the five-line public API around the one loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from wct.canvas import Canvas
from wct.color import recolored
from wct.content import Content
from wct.devices import choose_device
from wct.engine import Engine, Local
from wct.errors import UsageError
from wct.fields import Field, Held
from wct.finish import finished
from wct.fitting import Tile, fitting
from wct.gaussian import Gaussian
from wct.grain import grained
from wct.images import Picture, Source, read
from wct.look import LOOK, TEXTURE, Look
from wct.loop import Loop
from wct.masks import resize_mask
from wct.measure import measure
from wct.models import Model
from wct.plan import Memory, Plan
from wct.progress import Progress
from wct.regions import Layout, Region, layout
from wct.sources import mask_of, opened, preview_factor, scaled
from wct.style import Style, Weight
from wct.swap import SWAP_LEVELS
from wct.texture import noise

__all__ = ["Progress", "Stylizer"]


class Stylizer:
    """Puts any style on any picture with one model on one device.

    Args:
        model: a shipped model's name, a model folder, or a loaded Model.
        device: "cpu", "cuda", "mps" or None for the best one there is.
        precision: in which the networks compute: "float32", or "bfloat16", which is faster where the processor knows
            it, at 8 bits; statistics and maps stay exact. A loaded Model has a device and a precision of its own.
        engine: who does the work: this process, or a cluster, see `wct.distributed.Cluster`.

    Raises:
        ModelError: the model is missing or damaged, or its weights are no longer float32.
        UsageError: the device is not there, or there is no such precision.

    Examples:
        >>> import wct
        >>> from wct.samples import paint
        >>> stylizer = wct.Stylizer()
        >>> style = stylizer.style(paint("waves"))
        >>> stylizer(paint("strokes").resized(64), style, alpha=0.6).save("out.png")
    """

    def __init__(
        self,
        model: str | Path | Model = "compact",
        *,
        device: str | None = None,
        precision: str = "float32",
        engine: Engine | None = None,
    ) -> None:
        self.engine = engine or Local()
        if not isinstance(model, Model):
            model = Model.load(model, device=choose_device(device), precision=precision)
        self.model = model.checked()

    def style(
        self,
        *sources: Source | Style,
        weights: Sequence[Weight] | None = None,
        blend: str = "maps",
        scale: float | None = 1.0,
        mask: Source | Tensor | None = None,
        colors: Source | Gaussian | None = None,
        color_strength: float = 1.0,
        patches: bool = False,
    ) -> Style:
        """A Style from one or several pictures (anything `wct.images.read` takes), style files or styles, blended.

        Each picture is encoded in one pass for all levels. Fully transparent pixels stay out of the statistics.

        Args:
            sources: pictures, style files or styles, at least one. What follows below `blend` is for pictures alone.
            weights: one for each source, any scale: a number, or {level: number} with 1 where absent; None: equal.
            blend: "maps" or "barycentre", see `Style.blend`.
            scale: size of the strokes: pictures, larger ones reduced to a short side of 512 pixels, are resized by this
                factor, above 0 and up to 4, before they are measured; None leaves them as they are.
            mask: grey, of a picture's size; what is black in it stays out of the statistics.
            colors: a content picture, or the Gaussian of its pixels, whose colours the pictures take on first (Gatys
                et al. 2016), for stylisations with color="content"; `color_strength` says how far, 0 to 1.
            patches: keep a sample of each picture's patches as well, for transform="swap".

        Raises:
            InputError: a picture cannot be read.
            UsageError: no source, weights that do not fit, a mask of another size, or mask or scale for a style that is
                measured already.
            NumericsError: features are not finite.
        """
        like = colors if colors is None or isinstance(colors, Gaussian) else Content.of(read(colors)).colors()
        levels = SWAP_LEVELS if patches else ()

        def measured(picture: Picture) -> Style:
            picture, weights = scaled(picture, scale, mask)
            if like is not None:
                rgb = recolored(picture.rgb, like, color_strength, Content.of(picture).opaque)
                picture = replace(picture, rgb=rgb)
            found = measure(self.model, picture, weights, levels)
            return found if like is None else replace(found, colors="content")

        known = [source if isinstance(source, Style) else opened(source) for source in sources]
        ready = [source.name for source in known if isinstance(source, Style)]
        if mask is not None and ready:
            raise UsageError(f"style {ready[0]}: is measured already; a style mask needs the picture itself")
        if scale not in (None, 1.0) and ready:
            raise UsageError(f"style {ready[0]}: is measured already; another scale needs the picture itself")
        styles = [source.to(self.model.device) if isinstance(source, Style) else measured(source) for source in known]
        return Style.blend(styles, weights, blend)

    def __call__(
        self,
        content: Source,
        style: Source | Style | Plan | list[Region],
        *,
        size: int | None = None,
        preview: int | None = None,
        tile: Tile = "auto",
        memory: Memory | None = None,
        progress: Callable[[Progress], None] = lambda _: None,
        look: Look = LOOK,
        **changes: Any,
    ) -> Picture:
        """The stylised picture, of exactly the content's height and width, with its alpha.

        Args:
            content: anything `wct.images.read` takes. Its fully transparent pixels stay as they are.
            style: a Style of the same model, a picture, or `Region`s with a style each; or a Plan, whose maps and look
                are taken as they are.
            size: short side to which the content is resized first; None keeps its size.
            preview: short side of a quick small result that shows what the full one would look like; of saved styles
                the strokes stay somewhat larger than that.
            tile: side in pixels of the windows by which the picture is worked through, which bounds the memory and does
                not change the result; "auto" for one piece where that fits and large windows where it does not; None
                for one piece.
            memory: statistics of earlier pictures of a stream, to which this one's are added.
            progress: called after every step.
            look: all settings at once, for example `wct.look.PHOTO`.
            changes: settings by name, on top of `look`: alpha, levels, mode, transform, …, see `wct.look.Look`.

        Raises:
            InputError: a picture cannot be read.
            OutputError: there is no room for temporary files, of pictures in windows.
            UsageError: a setting is out of range, or a mask does not fit.
            ModelError: the style was made by another model.
            NumericsError: features are not finite; the message names the level and the stage.
        """
        plan = style if isinstance(style, Plan) else None
        if plan and (changes or look is not LOOK or preview is not None):
            raise UsageError("a plan has its own look, for the full size; give settings to the plan, and no preview")
        chosen = plan.look if plan else replace(look, **changes)
        picture = read(content)
        regions = style if isinstance(style, list) else [Region(style.style if isinstance(style, Plan) else style)]
        if other := [type(one).__name__ for one in regions if not isinstance(one, Region)]:
            raise UsageError(f"found a list with {other[0]} in it, needs Regions; stylizer.style(...) blends styles")
        masks = [None if region.mask is None else mask_of(region.mask, picture.size) for region in regions]
        factor = preview_factor(picture.size, size, preview)
        size = size if factor == 1 else preview
        if size is not None:
            picture = picture.resized(size)
            masks = [None if mask is None else resize_mask(mask, picture.size) for mask in masks]
        seen, scale = Content.of(picture), 1 / factor
        parts = [(region.style, mask) for region, mask in zip(regions, masks, strict=True)]

        def made(canvas: Canvas, tell: Callable[[str], None]) -> Tensor:
            return canvas.collected(self.painted(seen, parts, canvas, chosen, tell, scale, plan, memory))

        steps = chosen.reduced(factor).steps
        rgb = fitting(self.engine, self.model, seen.size, tile, made, steps=steps, progress=progress)[0]
        return replace(picture, rgb=rgb)

    def painted(
        self,
        content: Content,
        regions: Sequence[tuple[Style | Source | None, Tensor | None]],
        canvas: Canvas,
        look: Look,
        tell: Callable[[str], None] = lambda _: None,
        scale: float = 1.0,
        plan: Plan | None = None,
        memory: Memory | None = None,
    ) -> Field:
        """The stylised pixels of a content, to be read by windows: what `__call__` puts together.

        Args:
            content: the picture, in memory or in a file.
            regions: style, or None to keep, and mask (H, W) in 0..1, or None for the rest; see `wct.regions.layout`.
            canvas: how to work through it.
            look: settings, for the full size.
            tell: called with a word after every step.
            scale: of the content to the full size, in a preview; style pictures are reduced alike, and the look is.
            plan, memory: as for `__call__`.
        """
        styles = [None if style is None else self._fit(style, content, look, scale) for style, _ in regions]
        shared = layout(content, styles, [mask for _, mask in regions])
        # A large picture averages some of its grain away. Measured from 1024 pixels on 4 pairs: the distance of the
        # statistics to the large result, reduced, falls from 0.258 to 0.255 at 512 and from 0.309 to 0.305 at 256.
        seen = _seen(content, look.noise * math.sqrt(scale), canvas)
        look = look.reduced(1 / scale)
        return finished(Loop(canvas, look, shared, tell, plan, memory)([seen])[0], content, shared, look, canvas)

    def plan(self, contents: Sequence[Source], style: Source | Style, *, look: Look = LOOK, **changes: Any) -> Plan:
        """The maps for pictures that belong together, such as the frames of a shot: their statistics are merged.

        Args:
            contents: pictures as `__call__` takes them, of any sizes; some of a shot's frames stand for all.
            style, look, changes: as for `__call__`.

        Raises:
            As a stylisation does; UsageError where there is no picture.
        """
        chosen = replace(look, **changes)
        seen = [Content.of(read(content)) for content in contents]
        if not seen:
            raise UsageError("no picture to plan for; needs at least one")

        def made(canvas: Canvas, tell: Callable[[str], None]) -> Plan:
            fitted = self._fit(style, seen[0], chosen, 1.0)
            loop = Loop(canvas, chosen, Layout((fitted,), None), tell)
            loop([_seen(one, chosen.noise, canvas) for one in seen])
            return Plan(fitted, chosen, loop.solved)

        together = sum(one.size[0] for one in seen), max(one.size[1] for one in seen)
        return fitting(self.engine, self.model, together, "auto", made)

    def texture(
        self,
        style: Source | Style,
        size: tuple[int, int] | int = 512,
        *,
        seed: int = 0,
        tileable: bool = False,
        progress: Callable[[Progress], None] = lambda _: None,
        look: Look = TEXTURE,
        **changes: Any,
    ) -> Picture:
        """A picture of nothing but the style, from noise (Li et al. 2017, section 4.4).

        Args:
            style: a Style of the same model, or a picture. A blend lies between the textures of its parts.
            size: (H, W) or the side of a square, in pixels.
            seed: which of the style's endlessly many textures; the same gives the same.
            tileable: opposite edges meet without a seam; sides are multiples of 16 then.
            progress: called after every step.
            look: settings, with `changes` by name on top, see `wct.look.Look`; those about the content's colours,
                detail and grain say nothing here.

        Raises:
            As a stylisation does; UsageError for a size or seed out of range.
        """
        chosen = replace(look, **{**changes, "color": "style", "detail": 0.0, "grain": 0.0})
        if tileable and chosen.transform == "swap":
            raise UsageError(
                "a tileable texture cannot be made by swap, whose patches end at the border; choose another"
            )
        pixels = noise((size, size) if isinstance(size, int) else size, seed, tileable)
        seen = Content("texture", Held(0, pixels))

        def made(canvas: Canvas, tell: Callable[[str], None]) -> Tensor:
            canvas = replace(canvas, wrap=tileable)
            fitted = self._fit(style, seen, chosen, 1.0)
            loop = Loop(canvas, chosen, Layout((fitted,), None), tell)
            return canvas.collected(loop([seen.pixels(canvas.model.device)])[0])

        # A tile's opposite edges are neighbours, which windows are not.
        tile = None if tileable else "auto"
        rgb = fitting(self.engine, self.model, seen.size, tile, made, steps=chosen.steps, progress=progress)[0]
        return Picture(rgb.float().cpu(), name="texture")

    def _fit(self, source: Source | Style, content: Content, look: Look, scale: float) -> Style:
        """The style of a region of `content`, fit for `look`."""
        source = source if isinstance(source, Style) else opened(source)
        if not isinstance(source, Style):
            return self.style(
                source,
                scale=scale,
                colors=content.colors() if look.color == "content" else None,
                color_strength=look.color_strength,
                patches=look.transform == "swap",
            )
        source.check(self.model, look.color)
        if look.transform == "swap" and not source.has_patches:
            raise UsageError(
                f"style {source.name}: keeps no patches, which swap needs; give the picture itself "
                "(in Python, a style made with patches=True will do)"
            )
        return source


def _seen(content: Content, noise: float, canvas: Canvas) -> Field:
    """What the loop makes its result of."""
    return grained(content.pixels(canvas.model.device), noise)
