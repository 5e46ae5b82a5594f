"""`wct texture`."""

from __future__ import annotations

import re
from dataclasses import astuple, replace
from pathlib import Path
from typing import Annotated

import typer

from wct.cli.options import (
    Alpha,
    Blend,
    Device,
    MaxPixels,
    ModelName,
    Overwrite,
    Precision,
    StyleScale,
    Transform,
    inputs_of,
    parse_weighted,
)
from wct.cli.terminal import bar, note
from wct.errors import UsageError
from wct.images.defaults import DEFAULT_MAX_PIXELS
from wct.images.label import label
from wct.look import BLENDS, TEXTURE

__all__ = ["texture"]

Styles = Annotated[
    list[str],
    typer.Argument(
        metavar="STYLE...", help="Pictures or style files; several are blended, path:2 weighs twice path:1."
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to write. Default: <first style>-texture.png here, or - where the style is -.",
    ),
]
Size = Annotated[str, typer.Option(metavar="N|HxW", help="Pixels: the side of a square, or height x width.")]
Seed = Annotated[int, typer.Option(help="Another number, another texture; the same gives the same.")]
Passes = Annotated[int, typer.Option(min=1, help="How often to go through the levels, each time on the last result.")]
Tileable = Annotated[bool, typer.Option("--tileable", help="Repeats without a seam; sides are multiples of 16.")]


def texture(
    styles: Styles,
    output: Output = None,
    size: Size = "512",
    seed: Seed = 0,
    tileable: Tileable = False,
    passes: Passes = TEXTURE.passes,
    alpha: Alpha = TEXTURE.alpha,
    transform: Transform = TEXTURE.transform,
    blend: Blend = BLENDS[0],
    style_scale: StyleScale = 1.0,
    model: ModelName = "compact",
    device: Device = "auto",
    precision: Precision = "float32",
    overwrite: Overwrite = False,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
) -> None:
    """Make a texture of any size from nothing but a style."""
    look = replace(TEXTURE, passes=passes, alpha=alpha, transform=transform)
    sources = [parse_weighted(text) for text in styles]
    height, width = parse_size(size)
    if 0 < max_pixels < height * width:
        raise UsageError(f"size {size}: has {height * width} pixels, more than {max_pixels}; raise --max-pixels")
    first = sources[0].path
    target = output if output is not None else "-" if first == "-" else f"{Path(first).stem}-texture.png"
    inputs = inputs_of(source.path for source in sources)

    from wct.cli.engine import load, stamp
    from wct.images import check_output
    from wct.sources import opened
    from wct.transforms import transform as known_transform

    known_transform(look.transform, look.rank)
    check_output(target, overwrite=overwrite, inputs=inputs)
    stylizer = load(model, device, precision=precision)
    with bar("texture") as tell:
        parts = [
            stylizer.style(opened(one.path, max_pixels or None), scale=style_scale, patches=transform == "swap")
            for one in sources
        ]
        style = stylizer.style(*parts, weights=[one.weight for one in sources], blend=blend)
        result = stylizer.texture(
            style, (height, width), seed=seed, tileable=tileable, progress=lambda s: tell(*astuple(s)), look=look
        )
    result.save(target, overwrite=overwrite, inputs=inputs, comment=f"{stamp(stylizer, look)}, texture seed {seed}")
    if target != "-":
        note(f"{label(target)}: written, {width}x{height}")


def parse_size(text: str) -> tuple[int, int]:
    """`512` or `480x640` as (height, width); UsageError for anything else."""
    match = re.fullmatch(r"(\d{1,6})(?:x(\d{1,6}))?", text.strip())
    if match is None:
        raise UsageError(f"size {text!r}: needs a number of pixels such as 512, or height x width such as 480x640")
    height = int(match[1])
    return height, int(match[2] or height)
