"""`wct evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from wct.cli.options import AsJson, Device, EncoderFile, ModelName, Precision, VggFile
from wct.cli.terminal import bar, show_json, show_table

__all__ = ["evaluate"]

evaluate = typer.Typer(name="evaluate", help="Measure models and stylised pictures.")

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of pictures.")]
Size = Annotated[int, typer.Option(min=1, help="Short side to which they are resized.")]
Pairs = Annotated[Path, typer.Argument(metavar="PAIRS.csv", help="Rows content,style,output, with that header.")]


@evaluate.command()
def reconstruction(
    folder: Folder,
    size: Size = 512,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    device: Device = "auto",
    precision: Precision = "float32",
    as_json: AsJson = False,
) -> None:
    """PSNR per level of pictures that are encoded and decoded without any transform."""
    from wct.cli.engine import load
    from wct.evaluation.reconstruction import reconstruction
    from wct.images import list_pictures

    pictures = list_pictures(folder)
    engine = load(model, device, encoder, precision=precision).model
    with bar("reconstruction") as tell:
        found = reconstruction(engine, pictures, size, tell)
    if as_json:
        show_json(found)
        return
    columns = list(next(iter(found["levels"].values())))
    rows = [[level, *values.values()] for level, values in found["levels"].items()]
    show_table(f"{found['model']}: {found['n']} pictures, short side {size}, dB", ("level", *columns), rows)


@evaluate.command()
def stylization(pairs: Pairs, vgg: VggFile = None, device: Device = "auto", as_json: AsJson = False) -> None:
    """Style and content distance of stylised pictures, as VGG-19 sees them; smaller is nearer."""
    from wct.cli.engine import load_vgg
    from wct.evaluation.stylization import stylization

    eye = load_vgg(vgg, device)
    with bar("stylization") as tell:
        found = stylization(pairs, eye, tell)
    if as_json:
        show_json(found)
        return
    measures = ("style_distance", "content_distance")
    rows: list[list[Any]] = [list(row.values()) for row in found["rows"]]
    rows += [[name, "", "", *(found[measure][name] for measure in measures)] for name in found[measures[0]]]
    show_table(f"{found['n']} stylised pictures", list(found["rows"][0]), rows)
