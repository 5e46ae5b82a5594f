"""Sheets of labelled pictures: grids with heads on the left and above, and pictures side by side."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wct.errors import UsageError
from wct.images import DEFAULT_MAX_PIXELS, Picture, read

__all__ = ["check_sheet", "compare", "corner_shape", "corner_sheet", "sheet"]

PAPER, INK = (250, 249, 246), (40, 38, 36)
GAP = 12

LARGEST_SIDE = 16_383
"""Pixels: what every format that can be written holds; WebP has no more."""

FONTS = ("DejaVuSans.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "segoeui.ttf", "msyh.ttc")
"""Fonts of Linux, macOS and Windows for names beyond ASCII, which is all that Pillow's own font has."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def check_sheet(rows: int, columns: int, tile: int) -> None:
    """UsageError where a sheet of so many rows and columns, heads included, would be too large to be written."""
    height, width = GAP + rows * (tile + _line(tile) + GAP // 2), GAP + columns * (tile + GAP)
    if max(height, width) > LARGEST_SIDE or height * width > DEFAULT_MAX_PIXELS:
        found = f"{rows} rows and {columns} columns of {tile} pixels make {width}x{height}"
        most = f"{LARGEST_SIDE} on a side and {DEFAULT_MAX_PIXELS} in all"
        raise UsageError(f"sheet: {found}; at most {most} are possible; take fewer pictures or smaller tiles")


def sheet(
    rows: Sequence[Picture], columns: Sequence[Picture], cells: Sequence[Sequence[Picture]], tile: int = 256
) -> Picture:
    """A grid of `cells[row][column]`, headed by the pictures `rows` on the left and `columns` at the top.

    Every picture is fitted, whole, into a square of `tile` pixels; the labels are the names of `rows` and `columns`,
    without folder and extension where they are paths.
    Transparent parts show the sheet.

    Raises:
        UsageError: there is no row or column, not one cell for each pair, or the sheet would be too large.
    """
    if not rows or not columns or len(cells) != len(rows) or any(len(row) != len(columns) for row in cells):
        found = f"{len(rows)} rows, {len(columns)} columns and {sum(map(len, cells))} cells"
        raise UsageError(f"sheet: found {found}; needs at least one of each and a cell for each pair")
    width = 1 + len(columns)
    check_sheet(1 + len(rows), width, tile)
    heads: dict[float, Picture] = dict(enumerate(columns, 1))
    strips = [_strip(heads, _labels(heads), width, tile)]
    for head, pictures in zip(rows, cells, strict=True):
        strips.append(_strip({0: head, **dict(enumerate(pictures, 1))}, _labels({0: head}), width, tile))
    return _stacked(strips)


def corner_shape(size: int) -> tuple[int, int]:
    """Rows and columns of a `corner_sheet` of `size` by `size` cells; what is above them needs three columns."""
    return size + 2, max(3, size)


def corner_sheet(
    photo: Picture, corners: Sequence[Picture], cells: Sequence[Sequence[Picture]], tile: int = 256
) -> Picture:
    """A square of `cells[row][column]` between four pictures, with labels and fitting as in `sheet`.

    `corners` are top left, top right, bottom left, bottom right; the photo heads the middle.

    Raises:
        UsageError: there are not four corners, the cells are not a square of 2 or more on a side, or the sheet would
            be too large.
    """
    size = len(cells)
    if len(corners) != 4 or size < 2 or any(len(row) != size for row in cells):
        raise UsageError(f"sheet: found {len(corners)} corners and {size} rows; needs four and a square of cells")
    rows, width = corner_shape(size)
    check_sheet(rows, width, tile)
    last, offset = width - 1, (width - size) / 2
    above = {0.0: corners[0], last / 2: photo, float(last): corners[1]}
    below = {0.0: corners[2], float(last): corners[3]}
    inner = [_strip({offset + i: cell for i, cell in enumerate(row)}, {}, width, tile) for row in cells]
    return _stacked([_strip(above, _labels(above), width, tile), *inner, _strip(below, _labels(below), width, tile)])


def compare(pictures: Mapping[str, Picture], columns: int | None = None, tile: int = 256) -> Picture:
    """Pictures side by side, `compare({"photo": photo, "style": painting, "result": made})`, in rows of `columns`.

    Every picture is fitted, whole, into a square of `tile` pixels above its label. Transparent parts show the sheet.

    Raises:
        UsageError: there is no picture, `columns` is below 1, or the sheet would be too large.

    Examples:
        >>> import wct
        >>> from wct.samples import PAINTINGS, paint
        >>> wct.compare({name: paint(name) for name in PAINTINGS}, columns=2, tile=100)
        <Picture sheet: 236x264>
    """
    width = min(len(pictures) if columns is None else columns, len(pictures))
    if width < 1:
        raise UsageError(f"sheet: found {len(pictures)} pictures in {columns} columns; needs at least one of each")
    check_sheet(-(-len(pictures) // width), width, tile)
    cells = [(float(i % width), name, picture) for i, (name, picture) in enumerate(pictures.items())]
    strips = []
    for start in range(0, len(cells), width):
        row = cells[start : start + width]
        names = {column: unicodedata.normalize("NFC", name) for column, name, _ in row}
        strips.append(_strip({column: picture for column, _, picture in row}, names, width, tile))
    return _stacked(strips)


def _stacked(strips: Sequence[Image.Image]) -> Picture:
    """Strips of one width, one below the other."""
    canvas = Image.new("RGB", (strips[0].width, GAP + sum(strip.height for strip in strips)), PAPER)
    top = GAP
    for strip in strips:
        canvas.paste(strip, (0, top))
        top += strip.height
    return read(np.asarray(canvas), name="sheet")


def _strip(pictures: Mapping[float, Picture], names: Mapping[float, str], width: int, tile: int) -> Image.Image:
    """One row of the sheet, `width` columns wide and as high as its pictures need, which stand on the names below.

    `pictures` and `names` are {column: one}; a column of 0.5 is half a column to the right of 0.
    """
    images = {column: _fitted(picture, tile) for column, picture in pictures.items()}
    height = max(image.height for image in images.values())
    foot = _line(tile) + GAP // 2 if names else GAP
    strip = Image.new("RGB", (GAP + width * (tile + GAP), height + foot), PAPER)
    draw = ImageDraw.Draw(strip)

    def middle(column: float) -> int:
        return GAP + round(column * (tile + GAP)) + tile // 2

    for column, image in images.items():
        corner = (middle(column) - image.width // 2, height - image.height)
        strip.paste(image, corner, image if image.mode == "RGBA" else None)
    for column, name in names.items():
        font = _font(name, _line(tile) // 2)
        draw.text((middle(column), height + _line(tile) / 2), _shortened(name, font, tile), INK, font, anchor="mm")
    return strip


def _line(tile: int) -> int:
    """Height of a line of labels, twice that of the letters."""
    return 2 * max(10, tile // 14)


def _fitted(picture: Picture, tile: int) -> Image.Image:
    """The picture with its long side as `tile`, in 8 bits."""
    height, width = picture.size
    scale = tile / max(height, width)
    return picture.resized((max(1, round(height * scale)), max(1, round(width * scale)))).to_pil()


def _labels(pictures: Mapping[float, Picture]) -> dict[float, str]:
    """The names of pictures, composed, for fonts lack the separate accents that some file systems make."""
    return {column: unicodedata.normalize("NFC", Path(picture.name).stem) for column, picture in pictures.items()}


def _shortened(text: str, font: Font, width: int) -> str:
    """The text, its middle left out where it is wider than `width`: numbers at the end tell pictures apart."""
    short, kept = text, len(text)
    while kept and font.getlength(short) > width:
        kept -= 1
        short = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return short


def _font(text: str, size: int) -> Font:
    """Pillow's own font where it has all letters of `text`, else the one at hand that has the most of them."""
    return max(_fonts(size), key=lambda font: _known(text, font))


@cache
def _fonts(size: int) -> tuple[Font, ...]:
    """The fonts at hand, Pillow's own first."""
    found: list[Font] = [ImageFont.load_default(size)]
    for name in FONTS:
        try:
            found.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return tuple(found)


def _known(text: str, font: Font) -> int:
    """How many letters of the text the font does not draw as it draws U+FFFF, which no font has."""
    unknown = bytes(font.getmask("\uffff"))
    return sum(bytes(font.getmask(letter)) != unknown for letter in text)
