"""`wct grid`: many photos in many styles, or one photo between four styles, on one sheet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

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
)
from wct.cli.terminal import bar, note
from wct.errors import InputError, UsageError
from wct.images.defaults import DEFAULT_MAX_PIXELS
from wct.images.label import label
from wct.look import BLENDS, LOOK, Look

if TYPE_CHECKING:
    from wct.images import Picture
    from wct.style import Style
    from wct.stylizer import Stylizer

__all__ = ["grid"]

Contents = Annotated[str, typer.Argument(metavar="PHOTOS", help="A folder of photos, or one photo.")]
Styles = Annotated[
    str | None,
    typer.Argument(metavar="[STYLES]", help="A folder of style pictures, or one picture.", show_default=False),
]
Corners = Annotated[
    tuple[str, str, str, str] | None,
    typer.Option(
        metavar="A B C D",
        help="One photo between four styles (pictures or style files): top left, top right, bottom left, bottom right.",
        show_default=False,
    ),
]
Steps = Annotated[int, typer.Option(min=2, max=50, help="Rows and columns of the sheet between four styles.")]
Output = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Where to write the sheet.")]
Size = Annotated[
    int, typer.Option(min=1, help="Short side to which larger photos are reduced before they are stylised.")
]
Tile = Annotated[int, typer.Option(min=16, max=4096, help="Pixels of a picture's long side on the sheet.")]


def grid(
    photos: Contents,
    styles: Styles = None,
    corners: Corners = None,
    steps: Steps = 5,
    output: Output = "grid.png",
    size: Size = 512,
    tile: Tile = 256,
    alpha: Alpha = LOOK.alpha,
    transform: Transform = LOOK.transform,
    blend: Blend = BLENDS[0],
    style_scale: StyleScale = 1.0,
    model: ModelName = "compact",
    device: Device = "auto",
    precision: Precision = "float32",
    overwrite: Overwrite = False,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
) -> None:
    """A labelled sheet: every photo in every style, or with --corners one photo between four styles."""
    if (styles is None) == (corners is None):
        raise UsageError("grid: needs either STYLES or --corners A B C D behind the photos")
    look = replace(LOOK, alpha=alpha, transform=transform)
    rows = _files(photos)
    columns = list(corners) if corners is not None else _files(styles or "")
    if corners is not None and len(rows) != 1:
        raise UsageError(f"{label(photos)}: holds {len(rows)} photos; --corners needs one")

    from wct.cli.engine import load, stamp
    from wct.images import check_output
    from wct.sheet import check_sheet, corner_shape
    from wct.transforms import transform as known_transform

    known_transform(look.transform, look.rank)
    shape = corner_shape(steps) if corners is not None else (len(rows) + 1, len(columns) + 1)
    check_sheet(*shape, tile)
    inputs = inputs_of([*rows, *columns])
    check_output(output, overwrite=overwrite, inputs=inputs)
    desk = _Desk(load(model, device, precision=precision), look, style_scale, blend, size, tile, max_pixels or None)
    sheet = desk.between(rows[0], columns, steps) if corners is not None else desk.matrix(rows, columns)
    sheet.save(output, overwrite=overwrite, inputs=inputs, comment=stamp(desk.stylizer, look))
    if output != "-":
        note(f"{label(output)}: written, {sheet.size[1]}x{sheet.size[0]}")
    if desk.failed:
        raise typer.Exit(1)


class _Desk:
    """Where a sheet is made: one engine, one look, and what could not be read so far."""

    def __init__(
        self, stylizer: Stylizer, look: Look, scale: float, blend: str, size: int, tile: int, max_pixels: int | None
    ) -> None:
        self.stylizer, self.look, self.scale, self.blend = stylizer, look, scale, blend
        self.size, self.tile, self.max_pixels, self.failed = size, tile, max_pixels, 0

    def matrix(self, photos: list[str], pictures: list[str]) -> Picture:
        """Every photo in every style. One at a time: only what the sheet shows stays in memory."""
        from wct.sheet import sheet

        heads: list[Picture] = []
        styles: list[Style] = []
        rows: list[Picture] = []
        cells: list[list[Picture]] = []
        with bar("grid") as tell:
            for picture in self._read(pictures):
                styles.append(self._style(picture))
                heads.append(picture.within(self.tile))
                tell(len(styles), len(pictures) * (1 + len(photos)), picture.name)
            for photo in self._read(photos):
                rows.append(photo.within(self.tile))
                cells.append([])
                for style in styles:
                    cells[-1].append(self._made(photo, style))
                    tell(len(rows) * len(styles) + len(cells[-1]), len(styles) * (1 + len(photos)), photo.name)
        return sheet(rows, heads, cells, self.tile)

    def between(self, path: str, corners: list[str], steps: int) -> Picture:
        """One photo in blends of four styles, whose weights are bilinear."""
        from wct.images import Picture, read
        from wct.sheet import corner_sheet
        from wct.sources import opened

        photo = read(path, max_pixels=self.max_pixels)
        sources = [opened(corner, self.max_pixels) for corner in corners]
        styles = [self._style(source) for source in sources]
        heads = [source.within(self.tile) if isinstance(source, Picture) else source.picture() for source in sources]
        cells: list[list[Picture]] = []
        with bar("grid") as tell:
            for i in range(steps):
                cells.append([])
                for j in range(steps):
                    y, x = i / (steps - 1), j / (steps - 1)
                    weights = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y]
                    style = self.stylizer.style(*styles, weights=weights, blend=self.blend)
                    cells[-1].append(self._made(photo, style))
                    tell(i * steps + j + 1, steps * steps, label(photo.name))
        return corner_sheet(photo.within(self.tile), heads, cells, self.tile)

    def _read(self, paths: list[str]) -> Iterator[Picture]:
        """The pictures that can be read, each other one of several a warning; InputError where there is none."""
        from wct.images import read

        good = 0
        for path in paths:
            try:
                picture = read(path, max_pixels=self.max_pixels)
            except InputError as error:
                if len(paths) == 1:
                    raise
                self.failed += 1
                note(f"warning: left out: {error}")
                continue
            good += 1
            yield picture
        if not good:
            raise InputError(f"none of {len(paths)} pictures could be read; the warnings above say why")

    def _style(self, source: Picture | Style) -> Style:
        return self.stylizer.style(source, scale=self.scale, patches=self.look.transform == "swap")

    def _made(self, photo: Picture, style: Style) -> Picture:
        size = min(self.size, *photo.size)
        return self.stylizer(photo, style, size=size, look=self.look).within(self.tile)


def _files(path: str) -> list[str]:
    """A picture, or those in a folder; InputError for a folder without any."""
    if not os.path.isdir(path):
        return [path]
    from wct.images import list_pictures

    found = [os.fspath(one) for one in list_pictures(path)]
    if not found:
        raise InputError(f"{label(path)}: holds no pictures; name a folder that does, or a picture")
    return found
