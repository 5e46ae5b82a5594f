"""`wct demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wct.cli.options import Alpha, Device, ModelName, Overwrite
from wct.cli.terminal import bar, note
from wct.errors import OutputError
from wct.images.label import label, one_line
from wct.look import LOOK, Look

__all__ = ["demo"]

Folder = Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write the pictures.")]


def demo(
    folder: Folder = Path("wct-demo"),
    alpha: Alpha = LOOK.alpha,
    model: ModelName = "compact",
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Stylise sample photos in sample styles, and show them all on one sheet."""
    from wct.cli.engine import load
    from wct.images import check_output
    from wct.samples import PAINTINGS, PHOTOS, paint, photo
    from wct.sheet import sheet

    look = Look(alpha=alpha)
    photos = [photo(name) for name in PHOTOS]
    stylizer = load(model, device)
    made = {(name, style): folder / f"{name}-{style}.png" for name in PHOTOS for style in PAINTINGS}
    inputs = {name: folder / f"{name}.png" for name in (*PHOTOS, *PAINTINGS)}
    overview = folder / "sheet.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{label(folder)}: cannot be made ({one_line(error)}); name another folder with -o"
        ) from error
    for path in (*made.values(), *inputs.values(), overview):
        check_output(path, overwrite=overwrite)
    total = len(PAINTINGS) + len(made)
    with bar("demo") as tell:
        paintings, cells = [], []
        for name in PAINTINGS:
            paintings.append(paint(name))
            tell(len(paintings), total, name)
        styles = [stylizer.style(painting) for painting in paintings]
        for row, content in enumerate(photos):
            cells.append([stylizer(content, style, look=look) for style in styles])
            tell(len(PAINTINGS) + (row + 1) * len(PAINTINGS), total, content.name)
        for picture in (*photos, *paintings):
            picture.save(inputs[picture.name], overwrite=overwrite)
        for path, picture in zip(made.values(), (cell for row in cells for cell in row), strict=True):
            picture.save(path, overwrite=overwrite)
        sheet(photos, paintings, cells).save(overview, overwrite=overwrite)
    note(f"{label(overview)}: {len(photos)} photos in {len(paintings)} styles; the single pictures are beside it")
