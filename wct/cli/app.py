"""The verbs and the options that come before them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wct import __version__
from wct.cli.batch import batch
from wct.cli.bench import bench
from wct.cli.compare import compare
from wct.cli.demo import demo
from wct.cli.doctor import doctor
from wct.cli.evaluate import evaluate
from wct.cli.export import export
from wct.cli.grid import grid
from wct.cli.models import ModelsCommand, models
from wct.cli.style import StyleCommand, style
from wct.cli.stylize import stylize
from wct.cli.texture import texture
from wct.cli.train import train
from wct.cli.video import video
from wct.cli.web import web

__all__ = ["app"]


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"wct {__version__}\n")
        raise typer.Exit


app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})


@app.callback()
def wct(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
    _debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and all warnings.")] = False,
) -> None:
    """Any photo in the style of any picture, offline.

    wct stylize photo.jpg painting.jpg -o out.png
    """


for verb in (stylize, batch, video, grid, compare, texture, web, doctor, demo, bench):
    app.command()(verb)
app.command(cls=StyleCommand)(style)
app.command(cls=ModelsCommand)(models)
app.add_typer(evaluate)
app.add_typer(export)
app.add_typer(train)
