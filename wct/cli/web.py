"""`wct web`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wct.cli.options import Device, EncoderFile, ModelName, Precision
from wct.cli.terminal import note

if TYPE_CHECKING:
    from wct.stylizer import Stylizer
    from wct.web.shelf import Shelf

__all__ = ["web"]

Host = Annotated[str, typer.Option(help="Address to listen on. The default is for this machine's browsers alone.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")]
Styles = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Where saved styles lie. Default: styles in the user's folder for data.",
        show_default=False,
    ),
]
Browser = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]
MaxMegabytes = Annotated[int, typer.Option("--max-mb", min=1, help="Refuse larger files.")]
MaxMegapixels = Annotated[int, typer.Option("--max-mp", min=1, help="Refuse pictures and results of more megapixels.")]


def web(
    host: Host = "127.0.0.1",
    port: Port = 7860,
    styles: Styles = None,
    browser: Browser = False,
    max_megabytes: MaxMegabytes = 32,
    max_megapixels: MaxMegapixels = 24,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    device: Device = "auto",
    precision: Precision = "float32",
) -> None:
    """A page for the browser: photo, styles and sliders, with a preview that follows, until Ctrl-C.

    Nothing leaves the machine that it runs on.
    """
    from wct.web.server import serve
    from wct.web.settings import Limits
    from wct.web.studio import Studio

    def load() -> Stylizer:
        from wct.cli.engine import load

        return load(model, device, encoder, precision=precision)

    def shelf() -> Shelf:
        from platformdirs import user_data_path

        from wct.web.shelf import Shelf

        return Shelf(styles or user_data_path("wct", appauthor=False) / "styles")

    studio = Studio(load, shelf, Limits(max_megabytes * 2**20, max_megapixels * 10**6))
    with suppress(KeyboardInterrupt):
        serve(studio, host, port, lambda address: note(f"{address} is ready; Ctrl-C ends it"), browser=browser)
