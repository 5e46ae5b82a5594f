"""`wct compare`: one photo in one style by every method of the family."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wct.cli.options import AsJson, Device, EncoderFile, ModelName, Overwrite, VggFile, inputs_of
from wct.cli.terminal import Tell, bar, note, show_json, show_table
from wct.errors import ModelError, UsageError
from wct.images.label import label

if TYPE_CHECKING:
    from wct.images import Picture
    from wct.methods.family import Studio
    from wct.models import Model
    from wct.progress import Progress

__all__ = ["compare"]

Photo = Annotated[str, typer.Argument(metavar="PHOTO", help="The content.")]
Painting = Annotated[str, typer.Argument(metavar="STYLE", help="The style picture.")]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write the sheet.")]
Methods = Annotated[
    str | None, typer.Option(metavar="NAME,...", help="Which methods (all that can do this style).", show_default=False)
]
Side = Annotated[int, typer.Option("--size", min=16, help="Short side to which both pictures are reduced.")]
Nets = Annotated[
    list[Path] | None,
    typer.Option("--net", metavar="FOLDER", help="A network of wct train feedforward; may be given again."),
]
Seed = Annotated[int, typer.Option(min=0, help="Of the methods that choose at random.")]
Tile = Annotated[int, typer.Option(min=64, max=4096, help="Pixels of a picture's long side on the sheet.")]


def compare(
    photo: Photo,
    style: Painting,
    output: Output = "compare.png",
    methods: Methods = None,
    size: Side = 256,
    seed: Seed = 0,
    net: Nets = None,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    vgg: VggFile = None,
    tile: Tile = 320,
    device: Device = "auto",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """A photo in a style by every method of style transfer's history: a sheet, and a table of times and distances.

    Networks know a style by its file's name; the shipped one knows the sample paintings. Distances are VGG-19's where
    its weights are in place, or else the model's own.
    """
    from wct.cli.engine import load
    from wct.images import check_output, read
    from wct.methods.family import METHODS, Studio
    from wct.methods.stylenet import StyleNet
    from wct.sheet import compare as side_by_side

    chosen = [name.strip() for name in methods.split(",")] if methods is not None else list(METHODS)
    if not chosen or any(name not in METHODS for name in chosen):
        raise UsageError(f"methods: found {methods!r}; needs some of {','.join(METHODS)}, with commas")
    if output == "-" and as_json:
        raise UsageError("--json: found - as the sheet's file; standard output holds one of both, name a file")
    check_output(output, overwrite=overwrite, inputs=inputs_of([photo, style]))
    pictures = {"photo": _reduced(read(photo), size), "style": _reduced(read(style), size)}
    stylizer = load(model, device, encoder)
    networks = [StyleNet.load(path) for path in net] if net else [StyleNet.load()]
    studio = Studio(stylizer, networks, seed)
    found, rows, eye = {}, [], _eye(vgg, device, stylizer.model)
    for name, picture, seconds in _made(chosen, methods is not None, pictures["photo"], pictures["style"], studio):
        found[f"{name}, {seconds:.1f} s"] = picture
        rows.append({"method": name, "seconds": round(seconds, 2), **_distances(eye, picture, pictures)})
    if not rows:
        raise UsageError("compare: no method can do this style; name others with --methods, or a network with --net")
    side_by_side({**pictures, **found}, columns=min(4, 2 + len(found)), tile=tile).save(output, overwrite=overwrite)
    if as_json:
        show_json({"output": label(output), "distances_of": eye.card.name, "rows": rows})
    else:
        stream = sys.stderr if output == "-" else sys.stdout
        title = f"{label(output)}: distances as {eye.card.name} sees them, smaller is nearer"
        show_table(title, [key.replace("_", " ") for key in rows[0]], [list(row.values()) for row in rows], stream)


def _reduced(picture: Picture, side: int) -> Picture:
    return picture if min(picture.size) <= side else picture.resized(side)


def _made(
    methods: list[str], wanted: bool, photo: Picture, style: Picture, studio: Studio
) -> Iterator[tuple[str, Picture, float]]:
    """What each method makes, and its seconds; one that cannot do this style is left out where nobody named it."""
    from wct.methods.family import stylized
    from wct.methods.stopped import Stopped

    for name in methods:
        with bar(name) as tell:
            told = replace(studio, progress=partial(_tell, tell))
            start = time.perf_counter()
            try:
                picture = stylized(name, photo, style, told)
            except UsageError as error:
                if wanted:
                    raise
                note(f"{name} is left out: {error}")
                continue
            except Stopped as stopped:
                note(f"{name}: stopped; the sheet shows what it had")
                yield name, stopped.picture, time.perf_counter() - start
                return
        yield name, picture, time.perf_counter() - start


def _tell(tell: Tell, progress: Progress) -> None:
    tell(progress.done, progress.total, progress.what)


def _eye(vgg: Path | None, device: str, model: Model) -> Model:
    """The model that measures distances."""
    from wct.cli.engine import load_vgg

    try:
        return load_vgg(vgg, device)
    except ModelError:
        if vgg is not None:
            raise
        return model


def _distances(eye: Model, made: Picture, pictures: dict[str, Picture]) -> dict[str, Any]:
    from wct.evaluation import content_distance, style_distance

    return {
        "style_distance": round(style_distance(eye, made, pictures["style"]), 4),
        "content_distance": round(content_distance(eye, made, pictures["photo"]), 4),
    }
