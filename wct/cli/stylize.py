"""`wct stylize`."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wct.cli.looks import Color, ColorStrength, Detail, Grain, Levels, Mode, Passes, Photo, Rank, Strength, look_of
from wct.cli.options import (
    Address,
    Alpha,
    Bits,
    Blend,
    Device,
    EncoderFile,
    EngineName,
    Gpus,
    MaxPixels,
    ModelName,
    Overwrite,
    Precision,
    Quality,
    Size,
    StyleScale,
    Transform,
    inputs_of,
    parse_tile,
    parse_weighted,
)
from wct.cli.regions import KEEP, Measure, arranged, check_regions, parse_region, segmented
from wct.cli.terminal import Tell, bar, note
from wct.errors import UsageError
from wct.images.defaults import DEFAULT_MAX_PIXELS, DEFAULT_QUALITY
from wct.images.label import label
from wct.look import BLENDS, LOOK

if TYPE_CHECKING:
    from wct.images import Picture
    from wct.large import LargePicture
    from wct.look import Look
    from wct.progress import Progress
    from wct.style import Style
    from wct.stylizer import Stylizer

__all__ = ["stylize"]

Content = Annotated[str, typer.Argument(metavar="CONTENT", help="The photo; - reads it from standard input.")]
Styles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[STYLE...]",
        help="Pictures or style files to take the style from, blended; path:2 weighs twice path:1, "
        "and path:5=1,4=0.2 has a weight for each level. With --region, the style of all that the regions leave.",
        show_default=False,
    ),
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
Mask = Annotated[str | None, typer.Option(metavar="FILE", help="Where the style goes (white); the rest is kept.")]
StyleMask = Annotated[str | None, typer.Option(metavar="FILE", help="What of the style picture counts (white).")]
RegionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--region",
        metavar="MASK=STYLE",
        help="A style where a mask is white (grey: softly); MASK=keep leaves the photo as it is there, "
        "MASK=STYLE=STYLEMASK takes part of the style picture. May be given again.",
        show_default=False,
    ),
]
Segments = Annotated[
    tuple[str, str] | None,
    typer.Option(
        metavar="MAP STYLEMAP",
        help="Colour-coded maps of photo and style picture: same colour, same region.",
        show_default=False,
    ),
]
Preview = Annotated[
    int | None, typer.Option(min=1, help="A quick result of this short side that shows what the full one looks like.")
]
Tile = Annotated[
    str,
    typer.Option(
        metavar="auto|off|N",
        help="Work through the picture by windows of N pixels, which bounds the memory and does not change the result. "
        "auto: large ones where the picture does not fit into memory.",
    ),
]
KeepMetadata = Annotated[
    bool,
    typer.Option("--keep-metadata", help="Copy the photo's EXIF to the result: time, place, camera, copyright."),
]
Refine = Annotated[
    int,
    typer.Option(
        min=0,
        help="Then optimise the pixels themselves for so many steps, about 0.1 s each at 256x256: slow, and nearer to "
        "the style. Ctrl-C writes what there is.",
    ),
]


def stylize(
    content: Content,
    styles: Styles = None,
    output: Output = None,
    alpha: Alpha = LOOK.alpha,
    levels: Levels = None,
    strength: Strength = "",
    transform: Transform = LOOK.transform,
    rank: Rank = LOOK.rank,
    blend: Blend = BLENDS[0],
    style_scale: StyleScale = 1.0,
    style_mask: StyleMask = None,
    mask: Mask = None,
    region: RegionOption = None,
    segments: Segments = None,
    color: Color = LOOK.color,
    color_strength: ColorStrength = LOOK.color_strength,
    photo: Photo = False,
    detail: Detail = None,
    grain: Grain = None,
    passes: Passes = LOOK.passes,
    mode: Mode = None,
    refine: Refine = 0,
    size: Size = None,
    preview: Preview = None,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    device: Device = "auto",
    precision: Precision = "float32",
    engine: EngineName = "local",
    address: Address = None,
    gpus: Gpus = None,
    overwrite: Overwrite = False,
    quality: Quality = DEFAULT_QUALITY,
    bits: Bits = 8,
    keep_metadata: KeepMetadata = False,
    tile: Tile = "auto",
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
) -> None:
    """Put the style of one or several pictures on a photo."""
    look = look_of(alpha, levels, strength, transform, rank, color, color_strength, photo, detail, grain, passes, mode)
    sources = [parse_weighted(text) for text in styles or []]
    regions = [parse_region(text) for text in region or []]
    check_regions(sources, regions, mask, style_mask, segments)
    if keep_metadata and content == "-":
        raise UsageError("--keep-metadata: found a photo from standard input; name a file")
    if refine and (regions or mask or segments):
        raise UsageError("--refine: found regions; it works on the whole picture, so leave out one or the other")
    target = output if output is not None else default_output(content)
    masks = [path for one in regions for path in one if path != KEEP]
    inputs = inputs_of([content, *(source.path for source in sources), *masks, *(segments or ()), mask, style_mask])

    from wct.cli.engine import engine_of, load, stamp
    from wct.content import Content
    from wct.images import check_output, read, read_exif
    from wct.large import check_large, is_large, open_large, stylize_large
    from wct.sources import opened, preview_factor
    from wct.transforms import transform as known_transform

    known_transform(look.transform, look.rank)
    out: dict[str, Any] = {"overwrite": overwrite, "inputs": inputs, "quality": quality, "bits": bits}
    check_output(target, metadata=keep_metadata, **out)
    windows, limit = parse_tile(tile), max_pixels or None
    stylizer = load(model, device, encoder, engine_of(engine, address, gpus), precision)
    large: LargePicture | None = None
    if not refine and size is None and preview is None and is_large(content, stylizer, windows):
        if keep_metadata:
            raise UsageError(
                "--keep-metadata: this picture is larger than memory and goes through windows; leave it out"
            )
        large = open_large(content, stylizer.model, look, max_pixels=limit)
        check_large(target, large.size, **out)
        seen = large.content
    else:
        picture = read(content, max_pixels=limit)
        seen = Content.of(picture)
        if keep_metadata:
            out["exif"] = read_exif(content)
    colors = seen.colors() if look.color == "content" else None
    smaller = preview_factor(seen.size, size, preview)
    measure = Measure(stylizer, seen.size, look, style_scale, smaller, colors, limit)
    out |= {"comment": stamp(stylizer, look) + (f" refine {refine}" if refine else "")}
    with bar(label(Path(content).name)) as tell:
        if segments:
            plan = segmented(segments, opened(sources[0].path, limit), measure)
        else:
            parts = [measure(source.path, style_mask) for source in sources]
            rest = stylizer.style(*parts, weights=[s.weight for s in sources], blend=blend) if parts else None
            plan = arranged(regions, rest, mask, measure)
        todo: dict[str, Any] = {"tile": windows, "look": look, "progress": lambda step: tell(*astuple(step))}
        if large is not None:
            stylize_large(stylizer, large, plan, target, **todo, **out)
            height, width = large.size
        else:
            result = stylizer(picture, plan, size=size, preview=preview, **todo)
            if refine and rest is not None:
                result = refined(result, picture, rest, stylizer, look, refine, tell)
            result.save(target, **out)
            height, width = result.size
    if target != "-":
        note(f"{label(target)}: written, {width}x{height}")


def refined(
    made: Picture, content: Picture, style: Style, stylizer: Stylizer, look: Look, steps: int, tell: Tell
) -> Picture:
    """The result after `steps` steps of optimisation, or after fewer where Ctrl-C ends them."""
    from wct.methods.gatys import gatys
    from wct.methods.stopped import Stopped

    def progress(step: Progress) -> None:
        tell(*astuple(step))

    own = content.resized(made.size)
    colors: dict[str, Any] = {"color": look.color, "color_strength": look.color_strength}
    try:
        return gatys(stylizer, own, style, iterations=steps, start=made, **colors, progress=progress)
    except Stopped as stopped:
        note("stopped; written is what there was")
        return stopped.picture


def default_output(content: str) -> str:
    """Where the result goes when nobody says where."""
    return "-" if content == "-" else f"{Path(content).stem}-stylized.png"
