"""`wct demo`, and the sample pictures and contact sheets it is made of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from shell import Call

from wct.errors import UsageError
from wct.images import Picture, read
from wct.samples import PAINTINGS, PHOTOS, paint
from wct.sheet import sheet


def test_demo_stylises_every_photo_in_every_style(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    pytest.importorskip("skimage", reason="the demo extra is not installed")
    found = call("demo", "-o", "out", "--model", tiny_folder)
    assert (found.status, found.out, len(found.err.splitlines())) == (0, b"", 1), found
    assert "sheet.png" in found.err
    made = {f"{photo}-{style}" for photo in PHOTOS for style in PAINTINGS}
    assert {path.stem for path in (tmp_path / "out").iterdir()} == made | {*PHOTOS, *PAINTINGS, "sheet"}
    for name in PHOTOS:
        with (
            Image.open(tmp_path / "out" / f"{name}.png") as photo,
            Image.open(tmp_path / f"out/{name}-waves.png") as out,
        ):
            assert photo.size == out.size
    assert "exists already" in call("demo", "-o", "out", "--model", tiny_folder).refused()


def test_demo_without_its_extra_is_one_line(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Path
) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert "wct[demo]" in call("demo", "--model", tiny_folder).refused()
    assert list(tmp_path.iterdir()) == []


def test_demo_needs_a_folder_it_can_make(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    pytest.importorskip("skimage", reason="the demo extra is not installed")
    (tmp_path / "file").touch()
    assert "-o" in call("demo", "-o", "file", "--model", tiny_folder).refused()
    assert "'none'" in call("demo", "--model", "none").refused()
    assert "alpha is -1" in call("demo", "--model", tiny_folder, "--alpha", -1).refused()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", PAINTINGS)
def test_paintings_are_rich_and_the_same_every_time(name: str) -> None:
    one, other = paint(name, 96), paint(name, 96)
    assert one.name == name and one.size == (96, 96)
    assert torch.equal(one.rgb, other.rgb)
    assert float(one.rgb.std()) > 0.1
    assert len(torch.unique((one.rgb * 15).round().flatten(1), dim=1).T) > 60


def test_unknown_paintings_are_refused() -> None:
    with pytest.raises(UsageError, match="'monet'"):
        paint("monet")


def flat(colour: float, height: int, width: int, name: str = "flat") -> Picture:
    return Picture(torch.full((3, height, width), colour), None, name)


def test_a_sheet_shows_every_picture_whole_and_in_its_place() -> None:
    rows, columns = [flat(0.1, 40, 40), flat(0.2, 20, 40)], [flat(0.3, 40, 20), flat(0.4, 40, 40, "long " * 40)]
    cells = [[flat(0.5, 8, 8), flat(0.6, 8, 8)], [flat(0.7, 8, 8), flat(0.8, 8, 8)]]
    made = sheet(rows, columns, cells, tile=40)
    pixels = (made.rgb * 255).round()

    def box(value: float) -> tuple[int, int, int, int]:
        """Top, left, height and width of what has this grey."""
        y, x = torch.nonzero((pixels == round(value * 255)).all(0), as_tuple=True)
        return int(y.min()), int(x.min()), int(y.max() - y.min()) + 1, int(x.max() - x.min()) + 1

    boxes = {value: box(value) for value in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)}
    assert [boxes[v][2:] for v in (0.1, 0.2, 0.3, 0.4)] == [(40, 40), (20, 40), (40, 20), (40, 40)]
    assert boxes[0.3][0] < boxes[0.5][0] == boxes[0.6][0] == boxes[0.1][0] < boxes[0.7][0]
    assert boxes[0.1][1] < boxes[0.5][1] == boxes[0.7][1] < boxes[0.6][1] == boxes[0.4][1]


def test_a_sheet_shows_itself_through_transparent_pictures() -> None:
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    made = sheet([read(clear)], [flat(0.5, 8, 8, "")], [[read(clear)]], tile=16)
    assert float((made.rgb[0] - made.rgb[2]).abs().max()) < 0.1


def test_a_sheet_needs_a_cell_for_each_pair() -> None:
    with pytest.raises(UsageError, match="1 rows, 2 columns and 1 cells"):
        sheet([flat(0.0, 4, 4)], [flat(0.0, 4, 4)] * 2, [[flat(0.0, 4, 4)]])
