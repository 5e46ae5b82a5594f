"""Contact sheets: a labelled grid, what the rows stand for on the left, what the columns stand for above."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wct.errors import UsageError
from wct.images import Picture, read

__all__ = ["corner_sheet", "sheet"]

PAPER, INK = (250, 249, 246), (40, 38, 36)
GAP = 12

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def sheet(
    rows: Sequence[Picture], columns: Sequence[Picture], cells: Sequence[Sequence[Picture]], tile: int = 256
) -> Picture:
    """A grid of `cells[row][column]`, headed by the pictures `rows` on the left and `columns` at the top.

    Every picture is fitted, whole, into a square of `tile` pixels; the labels are the names of `rows` and `columns`,
    without folder and extension where they are paths.
    Transparent parts show the sheet.

    Raises:
        UsageError: there is no row or column, or not one cell for each pair.
    """
    if not rows or not columns or len(cells) != len(rows) or any(len(row) != len(columns) for row in cells):
        found = f"{len(rows)} rows, {len(columns)} columns and {sum(map(len, cells))} cells"
        raise UsageError(f"sheet: found {found}; needs at least one of each and a cell for each pair")
    font = ImageFont.load_default(max(10, tile // 14))
    strips = [_strip([None, *columns], [_label(picture) for picture in columns], tile, font)]
    for head, pictures in zip(rows, cells, strict=True):
        strips.append(_strip([head, *pictures], [_label(head)], tile, font))
    return _stacked(strips)


def corner_sheet(
    photo: Picture, corners: Sequence[Picture], cells: Sequence[Sequence[Picture]], tile: int = 256
) -> Picture:
    """A square of `cells[row][column]` between four pictures, with labels and fitting as in `sheet`.

    `corners` are top left, top right, bottom left, bottom right; the photo heads the middle.

    Raises:
        UsageError: there are not four corners, or the cells are not a square of 2 or more on a side.
    """
    size = len(cells)
    if len(corners) != 4 or size < 2 or any(len(row) != size for row in cells):
        raise UsageError(f"sheet: found {len(corners)} corners and {size} rows; needs four and a square of cells")
    font = ImageFont.load_default(max(10, tile // 14))

    def edge(left: Picture, right: Picture, middle: Picture | None = None) -> Image.Image:
        row: list[Picture | None] = [None] * size
        row[size // 2] = middle
        row[0], row[-1] = left, right
        return _strip(row, [_label(picture) for picture in row if picture is not None], tile, font)

    inner = [_strip(row, [], tile, font) for row in cells]
    return _stacked([edge(corners[0], corners[1], photo), *inner, edge(corners[2], corners[3])])


def _stacked(strips: Sequence[Image.Image]) -> Picture:
    """Strips of one width, one below the other."""
    canvas = Image.new("RGB", (strips[0].width, GAP + sum(strip.height for strip in strips)), PAPER)
    top = GAP
    for strip in strips:
        canvas.paste(strip, (0, top))
        top += strip.height
    return read(np.asarray(canvas), name="sheet")


def _strip(pictures: Sequence[Picture | None], names: Sequence[str], tile: int, font: Font) -> Image.Image:
    """One row of the sheet as high as its pictures need, with `names` under the first of them that are there."""
    images = {i: _fitted(picture, tile) for i, picture in enumerate(pictures) if picture is not None}
    height = max(image.height for image in images.values())
    line = 2 * (tile // 14) if names else 0
    strip = Image.new("RGB", (GAP + len(pictures) * (tile + GAP), height + line + GAP // 2), PAPER)
    draw = ImageDraw.Draw(strip)
    for i, image in images.items():
        corner = (GAP + i * (tile + GAP) + (tile - image.width) // 2, (height - image.height) // 2)
        strip.paste(image, corner, image if image.mode == "RGBA" else None)
    for i, name in zip(images, names, strict=False):
        middle = (GAP + i * (tile + GAP) + tile / 2, height + line / 2)
        draw.text(middle, _shortened(name, font, tile), INK, font, anchor="mm")
    return strip


def _fitted(picture: Picture, tile: int) -> Image.Image:
    """The picture with its long side as `tile`, in 8 bits."""
    height, width = picture.size
    scale = tile / max(height, width)
    return picture.resized((max(1, round(height * scale)), max(1, round(width * scale)))).to_pil()


def _shortened(text: str, font: Font, width: int) -> str:
    """The text, its end cut where it is wider than `width`."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _label(picture: Picture) -> str:
    return Path(picture.name).stem
