"""`wct style` and `wct style show`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wct.cli.options import (
    AsJson,
    Blend,
    Device,
    EncoderFile,
    MaxPixels,
    ModelName,
    Overwrite,
    StyleScale,
    inputs_of,
    parse_weighted,
)
from wct.cli.terminal import bar, note, show_json, show_table
from wct.cli.words import verb_with
from wct.errors import UsageError
from wct.images.defaults import DEFAULT_MAX_PIXELS
from wct.images.label import label
from wct.look import BLENDS

if TYPE_CHECKING:
    from wct.style import Style

__all__ = ["StyleCommand", "default_style", "style"]

Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="STYLE",
        help="Pictures or style files, blended; path:2 weighs twice path:1, and path:5=1,4=0.2 has a weight for each "
        "level; - reads a picture from standard input.",
    ),
]
Output = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Where to write. Default: <first style>.style here."),
]
Mask = Annotated[str | None, typer.Option(metavar="FILE", help="What of a single picture counts (white).")]
File = Annotated[str, typer.Argument(metavar="FILE", help="A style file.")]


def style(
    sources: Sources,
    output: Output = None,
    blend: Blend = BLENDS[0],
    style_scale: StyleScale = 1.0,
    mask: Mask = None,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
) -> None:
    """Save the style of one or several pictures in a small file, to be used in place of the pictures.

    wct style show FILE [--json] says what such a file holds. (A picture called show is ./show.)
    """
    given = [parse_weighted(source) for source in sources]
    inputs = inputs_of([*(one.path for one in given), mask])
    if mask is not None and len(given) > 1:
        raise UsageError(f"--mask: found {len(given)} styles; it needs a single picture, save each and blend the files")
    target = default_style(given[0].path) if output is None else output

    from wct.cli.engine import files_of, load
    from wct.files import check_file
    from wct.images import read
    from wct.sources import opened
    from wct.style import Style

    check_file(target, overwrite=overwrite, inputs=[*inputs, *files_of(model, encoder)])
    limit = max_pixels or None
    stylizer = load(model, device, encoder)
    parts = []
    with bar("style") as tell:
        for one in given:
            found = opened(one.path, limit)
            if mask is not None and isinstance(found, Style):
                raise UsageError(f"{label(one.path)}: is a style file, which no mask changes; give the picture itself")
            where = None if mask is None else read(mask, max_pixels=limit)
            parts.append(stylizer.style(found, scale=style_scale, mask=where))
            tell(len(parts), len(given), label(one.path))
    made = Style.blend(parts, [one.weight for one in given], blend)
    made.save(target, overwrite=overwrite)
    if target != "-":
        note(f"{label(target)}: written, {os.path.getsize(target)} bytes")


def show(file: File, as_json: AsJson = False) -> None:
    """Say what a style file holds: the model it is for, its pictures and their weights."""
    from wct.style import Style

    found = describe(Style.load(file), file)
    if as_json:
        show_json(found)
        return
    rows = [[part["name"], _weight(part["weights"]), _size(part["thumbnail"])] for part in found.pop("parts")]
    channels = ", ".join(f"{layer} {count}" for layer, count in found.pop("channels").items())
    show_table("style file", ("property", "value"), [*found.items(), ("channels", channels)])
    show_table("pictures", ("name", "weight", "thumbnail"), rows)


StyleCommand = verb_with({"show": show})


def describe(style: Style, file: str) -> dict[str, Any]:
    """What there is to know about a style and the file it is in, for JSON."""
    gaussians = style.parts[0].gaussians
    return {
        "file": label(file),
        "bytes": os.path.getsize(file),
        "model": style.model,
        "fingerprint": style.fingerprint,
        "colors": style.colors,
        "channels": {f"relu{level}_1": gaussian.channels for level, gaussian in gaussians.items()},
        "parts": [
            {
                "name": part.name,
                "weights": {f"relu{level}_1": weight for level, weight in part.weights.items()},
                "thumbnail": None if part.thumbnail is None else list(part.thumbnail.size),
            }
            for part in style.parts
        ],
    }


def default_style(source: str) -> str:
    """Where the style goes when nobody says where."""
    return "-" if source == "-" else f"{Path(source).stem}.style"


def _weight(weights: dict[str, float]) -> str:
    """One number where all levels have the same, else each with its level."""
    values = set(weights.values())
    return f"{values.pop():.3g}" if len(values) == 1 else ", ".join(f"{k} {v:.3g}" for k, v in weights.items())


def _size(size: list[int] | None) -> str:
    return "none" if size is None else f"{size[1]}x{size[0]}"
