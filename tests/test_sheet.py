"""Contact sheets: the corner sheet, sizes, and labels in any script."""

from __future__ import annotations

import unicodedata
from contextlib import nullcontext
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from wct.errors import UsageError
from wct.images import Picture
from wct.sheet import FONTS, GAP, _font, _shortened, check_sheet, compare, corner_shape, corner_sheet, sheet

TILE = 40


def flat(grey: int, height: int = TILE, width: int = TILE, name: str = "") -> Picture:
    return Picture(torch.full((3, height, width), grey / 255), None, name)


def place(made: Picture, grey: int) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of what has this grey."""
    y, x = torch.nonzero(((made.rgb * 255).round() == grey).all(0), as_tuple=True)
    return int(y.min()), int(x.min()), int(y.max()) + 1, int(x.max()) + 1


@pytest.mark.parametrize("size", [2, 3, 4, 5])
@pytest.mark.parametrize("shape", [(TILE, TILE), (10, TILE), (TILE, 10)])
def test_a_corner_sheet_is_symmetric_whole_and_evenly_spaced(size: int, shape: tuple[int, int]) -> None:
    cells = [[flat(100 + 10 * i + j, *shape) for j in range(size)] for i in range(size)]
    corners = [flat(1 + i) for i in range(4)]
    made = corner_sheet(flat(9, *shape), corners, cells, TILE)
    boxes = [[place(made, 100 + 10 * i + j) for j in range(size)] for i in range(size)]
    assert {(bottom - top, right - left) for row in boxes for top, left, bottom, right in row} == {shape}
    assert {below[0][0] - above[0][2] for above, below in pairwise(boxes)} == {GAP}
    assert all({box[0] for box in row} == {row[0][0]} for row in boxes)
    a, b, c, d = (place(made, 1 + i) for i in range(4))
    photo = place(made, 9)
    assert a[2] == b[2] == photo[2] < boxes[0][0][0] and boxes[-1][0][2] < c[0] == d[0]
    assert a[1] == c[1] == GAP and b[3] == d[3] == made.size[1] - GAP
    assert a[3] < photo[1] and photo[3] < b[1]
    middle = made.size[1]
    assert photo[1] + photo[3] == middle and boxes[0][0][1] + boxes[0][-1][3] == middle


def test_a_corner_sheet_needs_four_corners_and_a_square() -> None:
    square = [[flat(0)] * 2] * 2
    for corners, cells in (([flat(0)] * 3, square), ([flat(0)] * 4, square[:1]), ([flat(0)] * 4, [*square, square[0]])):
        with pytest.raises(UsageError, match=f"{len(corners)} corners and {len(cells)} rows"):
            corner_sheet(flat(0), corners, cells)


@pytest.mark.parametrize(
    ("rows", "columns", "tile", "possible"),
    [
        (1, 61, 256, True),
        (1, 62, 256, False),
        (54, 1, 256, True),
        (55, 1, 256, False),
        (33, 33, 256, True),
        (34, 34, 256, False),
        (2, 2, 4096, True),
        (3, 2, 4096, False),
        (300, 200, 16, True),
    ],
)
def test_what_is_too_large_is_known_beforehand(rows: int, columns: int, tile: int, possible: bool) -> None:
    """What passes fits into a WebP, and into the budget of what can be read."""
    with nullcontext() if possible else pytest.raises(UsageError, match=f"{rows} rows and {columns} columns of {tile}"):
        check_sheet(rows, columns, tile)


def test_sheets_that_are_too_large_are_not_begun() -> None:
    with pytest.raises(UsageError, match="smaller tiles"):
        sheet([flat(0)], [flat(0)], [[flat(0)]], tile=10_000)
    with pytest.raises(UsageError, match="smaller tiles"):
        corner_sheet(flat(0), [flat(0)] * 4, [[flat(0)] * 2] * 2, tile=6000)
    assert (corner_shape(2), corner_shape(5)) == ((4, 3), (7, 5))


@given(st.text(st.characters(exclude_characters="…"), max_size=80), st.integers(16, 300))
def test_labels_of_any_text_fit_and_keep_both_ends(text: str, width: int) -> None:
    font = ImageFont.load_default(10)
    short = _shortened(text, font, width)
    assert font.getlength(short) <= width
    if short != text:
        start, end = short.split("…")
        assert text.startswith(start) and text.endswith(end) and 0 <= len(start) - len(end) <= 1


@pytest.mark.parametrize("name", ["神奈川沖浪裏", "ليلة", "🎨", "\u200b", "a" * 300, ""])
def test_names_in_any_script_make_a_sheet(name: str) -> None:
    made = sheet([flat(0, name=name)], [flat(0, name=f"styles/{name}.jpg")], [[flat(0)]], TILE)
    assert made.size[1] == GAP + 2 * (TILE + GAP)


def test_ascii_names_are_set_in_the_same_font_everywhere() -> None:
    assert _font("wave-1 (2)", 12) is _font("", 12)


def test_names_beyond_ascii_are_set_in_a_font_that_has_them() -> None:
    try:
        dejavu = ImageFont.truetype(FONTS[0], 12)
    except OSError:
        pytest.skip("DejaVu Sans is not installed")
    for name in ("Café", "Звёздная ночь"):
        assert _font(name, 12).getname() == dejavu.getname()


def test_accents_kept_apart_by_the_file_system_look_alike() -> None:
    composed, apart = (unicodedata.normalize(form, "Café Ångström") for form in ("NFC", "NFD"))
    assert composed != apart
    one, other = (sheet([flat(0, name=name)], [flat(0)], [[flat(0)]], 160) for name in (composed, apart))
    assert np.array_equal(one.rgb, other.rgb)


def test_pictures_are_compared_side_by_side_in_rows() -> None:
    shown = {f"alpha {i / 10}": flat(100 + i, 20 if i == 1 else TILE) for i in range(5)}
    made = compare(shown, columns=3, tile=TILE)
    boxes = [place(made, 100 + i) for i in range(5)]
    assert made.size[1] == GAP + 3 * (TILE + GAP)
    assert [box[1] for box in boxes] == [GAP + i * (TILE + GAP) for i in (0, 1, 2, 0, 1)]
    assert boxes[0][2] == boxes[1][2] == boxes[2][2] < boxes[3][0] == boxes[4][0]
    assert boxes[1][2] - boxes[1][0] == 20
    assert compare(shown, tile=TILE).size[1] == GAP + 5 * (TILE + GAP)


def test_labels_of_what_is_compared_are_set_as_they_are() -> None:
    """No extension is cut off: 0.6 is no file."""
    one, other = (compare({name: flat(0)}, tile=160) for name in ("alpha 0.6", "alpha 0.7"))
    assert not np.array_equal(one.rgb, other.rgb)


@pytest.mark.parametrize(("count", "columns"), [(0, None), (2, 0), (2, -1)])
def test_nothing_cannot_be_compared(count: int, columns: int | None) -> None:
    with pytest.raises(UsageError, match=f"{count} pictures in {columns} columns"):
        compare({str(i): flat(0) for i in range(count)}, columns)
