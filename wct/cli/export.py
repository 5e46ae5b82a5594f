"""`wct export onnx` and `wct export page`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wct.cli.options import EncoderFile, ModelName, Overwrite
from wct.cli.terminal import bar, note
from wct.images.label import label

__all__ = ["export"]

export = typer.Typer(name="export", help="Stylise without Python: as an ONNX file, or as a page for browsers.")

Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write; - for standard output.")]
Styles = Annotated[int, typer.Option(min=1, help="How many style pictures it takes, blended by weight.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write the page.")]
Runtime = Annotated[
    Path | None, typer.Option("--runtime", metavar="FILE", help="onnxruntime-web's npm tarball, if it is at hand.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Take onnxruntime-web as kept from before: no network.")]


@export.command()
def onnx(
    output: Output = "wct.onnx",
    styles: Styles = 1,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the whole stylisation as one ONNX graph: content, styles, weights, alpha and grain to the picture."""
    from wct.cli.engine import files_of, load
    from wct.files import check_file
    from wct.onnx import write_onnx

    check_file(output, overwrite=overwrite, inputs=files_of(model, encoder))
    size = write_onnx(load(model, "cpu", encoder).model, output, styles=styles, overwrite=overwrite)
    if output != "-":
        note(f"{label(output)}: written, {size / 1e6:.1f} MB")


@export.command()
def page(
    folder: Folder,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    runtime: Runtime = None,
    offline: Offline = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a page that stylises in the visitor's browser: a folder for any file server, which sees no picture.

    onnxruntime-web, which the page runs on, is downloaded once from npm's registry, or the one in npm_config_registry.
    """
    from wct.cli.engine import load
    from wct.page import write_page

    engine = load(model, "cpu", encoder).model
    with bar("onnxruntime-web") as tell:
        size = write_page(engine, folder, tell=tell, file=runtime, offline=offline, overwrite=overwrite)
    note(f"{label(folder)}: written, {size / 1e6:.0f} MB; to try it: python -m http.server -d {label(folder)}")
