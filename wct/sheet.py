"""Contact sheets: a labelled grid, what the rows stand for on the left, what the columns stand for above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wct.errors import UsageError
from wct.images import Picture, read

__all__ = ["sheet"]

PAPER, INK = (250, 249, 246), (40, 38, 36)
GAP = 12


def sheet(
    rows: Sequence[Picture], columns: Sequence[Picture], cells: Sequence[Sequence[Picture]], tile: int = 256
) -> Picture:
    """A grid of `cells[row][column]`, headed by the pictures `rows` on the left and `columns` at the top.

    Every picture is fitted, whole, into a square of `tile` pixels; the names of `rows` and `columns` are the labels.
    Transparent parts show the sheet.

    Raises:
        UsageError: there is no row or column, or not one cell for each pair.
    """
    if not rows or not columns or len(cells) != len(rows) or any(len(row) != len(columns) for row in cells):
        found = f"{len(rows)} rows, {len(columns)} columns and {sum(map(len, cells))} cells"
        raise UsageError(f"sheet: found {found}; needs at least one of each and a cell for each pair")
    font = ImageFont.load_default(max(10, tile // 14))
    line = 2 * (tile // 14)
    step_x, step_y = tile + GAP, tile + line + GAP
    canvas = Image.new("RGB", (GAP + step_x * (1 + len(columns)), GAP + step_y * (1 + len(rows))), PAPER)
    draw = ImageDraw.Draw(canvas)

    def place(picture: Picture, column: int, row: int, text: str) -> None:
        left, top = GAP + column * step_x, GAP + row * step_y
        image = _fitted(picture, tile)
        corner = (left + (tile - image.width) // 2, top + (tile - image.height) // 2)
        canvas.paste(image, corner, image if image.mode == "RGBA" else None)
        draw.text((left + tile / 2, top + tile + line / 2), _shortened(text, font, tile), INK, font, anchor="mm")

    for column, picture in enumerate(columns, 1):
        place(picture, column, 0, picture.name)
    for row, (head, pictures) in enumerate(zip(rows, cells, strict=True), 1):
        place(head, 0, row, head.name)
        for column, picture in enumerate(pictures, 1):
            place(picture, column, row, "")
    return read(np.asarray(canvas), name="sheet")


def _fitted(picture: Picture, tile: int) -> Image.Image:
    """The picture with its long side as `tile`, in 8 bits."""
    height, width = picture.size
    scale = tile / max(height, width)
    return picture.resized((max(1, round(height * scale)), max(1, round(width * scale)))).to_pil()


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The text, its end cut where it is wider than `width`."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"
