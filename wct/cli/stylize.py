"""`wct stylize`."""

from __future__ import annotations

from dataclasses import asdict, astuple
from pathlib import Path
from typing import Annotated

import typer

from wct.cli.options import (
    LOOK,
    Alpha,
    Device,
    EncoderFile,
    ModelName,
    Overwrite,
    WeightedPath,
    parse_levels,
    parse_strength,
    parse_weighted,
)
from wct.cli.terminal import bar, note
from wct.errors import UsageError
from wct.images.defaults import DEFAULT_MAX_PIXELS, DEFAULT_QUALITY
from wct.images.label import label
from wct.look import MODES, STYLE_SIZE, Look

__all__ = ["stylize"]

LEVELS = ",".join(map(str, LOOK.levels))

Content = Annotated[str, typer.Argument(metavar="CONTENT", help="The photo; - reads it from standard input.")]
Styles = Annotated[
    list[str],
    typer.Argument(metavar="STYLE...", help="Pictures to take the style from, blended; path:2 weighs twice path:1."),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to write, in the format of its extension; - sends a PNG to standard output. "
        "Default: <content>-stylized.png here, or - where the content is -.",
    ),
]
Levels = Annotated[str, typer.Option(metavar="K,...", help="VGG levels to transform: 5 large shapes … 1 colours.")]
Strength = Annotated[str, typer.Option(metavar="K=X,...", help="Factors on alpha for some levels, such as 5=1,3=0.5.")]
Mode = Annotated[str, typer.Option(metavar="|".join(MODES), help="One way down the decoders, or the paper's cascade.")]
Transform = Annotated[str, typer.Option(metavar="NAME", help="How the style's statistics are imposed.")]
Size = Annotated[int | None, typer.Option(min=1, help="Resize the content to this short side first.")]
StyleSize = Annotated[int, typer.Option(min=1, help="Reduce larger styles to this short side: smaller, finer strokes.")]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of JPEG, WebP (100: lossless) and AVIF.")]
Bits = Annotated[int, typer.Option(help="Bits per channel: 8, or 16 for PNG.")]
MaxPixels = Annotated[int, typer.Option(min=0, help="Refuse pictures of more pixels; 0 for no limit.")]


def stylize(
    content: Content,
    styles: Styles,
    output: Output = None,
    alpha: Alpha = LOOK.alpha,
    levels: Levels = LEVELS,
    strength: Strength = "",
    mode: Mode = LOOK.mode,
    transform: Transform = LOOK.transform,
    size: Size = None,
    style_size: StyleSize = STYLE_SIZE,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quality: Quality = DEFAULT_QUALITY,
    bits: Bits = 8,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
) -> None:
    """Put the style of one or several pictures on a photo."""
    factors = parse_strength(strength) if strength else {}
    look = Look(alpha=alpha, levels=parse_levels(levels), strength=factors, mode=mode, transform=transform)
    sources = [parse_weighted(text) for text in styles]
    target = output if output is not None else default_output(content)
    inputs = _inputs(content, sources)

    from wct.cli.engine import load, stamp
    from wct.images import check_output, read
    from wct.transforms import transform as known_transform

    known_transform(look.transform)
    check_output(target, overwrite=overwrite, inputs=inputs, quality=quality, bits=bits)
    limit = max_pixels or None
    picture = read(content, max_pixels=limit)
    stylizer = load(model, device, encoder)
    with bar(label(Path(content).name)) as tell:
        # One at a time: of a large style only its statistics stay in memory.
        parts = [stylizer.style(read(source.path, max_pixels=limit), size=style_size) for source in sources]
        style = stylizer.style(*parts, weights=[source.weight for source in sources])
        result = stylizer(picture, style, size=size, progress=lambda step: tell(*astuple(step)), **asdict(look))
    comment = stamp(stylizer, look)
    result.save(target, overwrite=overwrite, inputs=inputs, quality=quality, bits=bits, comment=comment)
    if target != "-":
        height, width = result.size
        note(f"{label(target)}: written, {width}x{height}")


def default_output(content: str) -> str:
    """Where the result goes when nobody says where."""
    return "-" if content == "-" else f"{Path(content).stem}-stylized.png"


def _inputs(content: str, sources: list[WeightedPath]) -> list[str]:
    """All input paths; UsageError where more than one of them is standard input."""
    paths = [content, *(source.path for source in sources)]
    if paths.count("-") > 1:
        raise UsageError("-: found more than once; standard input holds one picture, name files for the others")
    return [path for path in paths if path != "-"]
