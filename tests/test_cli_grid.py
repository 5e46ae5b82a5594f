"""`wct grid`: what is on the sheet, what is left out, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shell import Call, picture, run

from wct.images import Picture, read
from wct.sheet import GAP

SIDE, LABEL = 140, 20


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two photos, a broken one, and three styles."""
    for folder, names in (("photos", ("a", "b")), ("styles", ("x", "y", "z"))):
        (tmp_path / folder).mkdir()
        for seed, name in enumerate(names):
            picture(tmp_path / folder / f"{name}.png", (SIDE, SIDE), seed=seed + len(folder))
    picture(tmp_path / "w.png", (SIDE, SIDE), seed=9)
    return tmp_path


def cell(path: Path, row: int, column: int) -> np.ndarray:
    """The pixels of a square picture on a sheet where every strip has a label."""
    top, left = GAP + row * (SIDE + LABEL + GAP // 2), GAP + column * (SIDE + GAP)
    return np.asarray(Image.open(path).convert("RGB"))[top : top + SIDE, left : left + SIDE]


def pixels(made: Picture) -> np.ndarray:
    return np.asarray(made.to_pil())


def test_a_process_shows_every_photo_in_every_style(files: Path, tiny_folder: Path) -> None:
    done = run("grid", "photos", "styles", "-o", "s.png", "--tile", SIDE, "--model", tiny_folder, cwd=files)
    assert (done.status, done.out) == (0, b"")
    with Image.open(files / "s.png") as sheet:
        assert done.err == f"s.png: written, {sheet.width}x{sheet.height}\n"
        assert sheet.width == GAP + 4 * (SIDE + GAP)
    for row, photo in enumerate("ab", 1):
        assert (cell(files / "s.png", row, 0) == pixels(read(files / "photos" / f"{photo}.png"))).all()
    for column, style in enumerate("xyz", 1):
        assert (cell(files / "s.png", 0, column) == pixels(read(files / "styles" / f"{style}.png"))).all()
    run("stylize", "photos/b.png", "styles/z.png", "-o", "one.png", "--model", tiny_folder, cwd=files)
    assert (cell(files / "s.png", 2, 3) == pixels(read(files / "one.png"))).all()


def test_between_four_styles_the_corners_are_pure(call: Call, files: Path, tiny_folder: Path) -> None:
    corners = ["styles/x.png", "styles/y.png", "styles/z.png", "w.png"]
    options = ["-o", "s.png", "--tile", SIDE, "--steps", 3, "--model", tiny_folder]
    assert call("grid", "--corners", *corners, "photos/a.png", *options).status == 0
    top = GAP + SIDE + LABEL + GAP // 2
    made = np.asarray(Image.open(files / "s.png").convert("RGB"))

    def at(row: int, column: int) -> np.ndarray:
        y, x = top + row * (SIDE + GAP), GAP + column * (SIDE + GAP)
        return made[y : y + SIDE, x : x + SIDE]

    for where, styles in (
        ((0, 0), [corners[0]]),
        ((0, 2), [corners[1]]),
        ((2, 0), [corners[2]]),
        ((2, 2), [corners[3]]),
        ((0, 1), corners[:2]),
        ((1, 1), corners),
    ):
        base = ["photos/a.png", *styles, "-o", "one.png", "--overwrite", "--model", tiny_folder]
        assert call("stylize", *base).status == 0
        assert np.abs(at(*where).astype(int) - pixels(read(files / "one.png"))).max() <= 1, where


def test_style_files_may_be_corners(call: Call, files: Path, tiny_folder: Path) -> None:
    base = ["--model", tiny_folder, "--tile", SIDE, "--steps", 2]
    assert call("style", "styles/x.png", "-o", "x.style", "--model", tiny_folder).status == 0
    rest = ["styles/y.png", "styles/z.png", "w.png", "photos/a.png"]
    assert call("grid", "--corners", "x.style", *rest, "-o", "a.png", *base).status == 0
    assert call("grid", "--corners", "styles/x.png", *rest, "-o", "b.png", *base).status == 0
    one, other = (np.asarray(Image.open(files / f"{name}.png")) for name in "ab")
    inner = slice(GAP + SIDE + LABEL, GAP + 2 * SIDE + LABEL)
    assert one.shape == other.shape and (one[inner] == other[inner]).all()


def test_a_bad_picture_is_left_out_and_told(call: Call, files: Path, tiny_folder: Path) -> None:
    (files / "photos" / "bad.png").write_text("no picture")
    found = call("grid", "photos", "styles/x.png", "--tile", SIDE, "--model", tiny_folder)
    assert found.status == 1 and found.out == b""
    first, last = found.err.splitlines()
    assert "left out: photos/bad.png" in first and last.startswith("grid.png: written")
    with Image.open(files / "grid.png") as sheet:
        assert sheet.height == GAP + 3 * (SIDE + LABEL + GAP // 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["photos"], "either STYLES or --corners"),
        (["photos", "styles", "--corners", "a", "b", "c", "d"], "either STYLES or --corners"),
        (["photos", "--corners", "w.png", "w.png", "w.png", "w.png"], "holds 2 photos; --corners needs one"),
        (["empty", "styles"], "empty: holds no pictures"),
        (["none.png", "styles"], "none.png: no such file"),
        (["broken", "styles"], "none of 2 pictures could be read"),
        (["photos", "styles", "--tile", 4096], "smaller tiles"),
        (["photos", "styles", "--transform", "wtc"], "did you mean 'wct'"),
        (["photos", "styles", "-o", "s.xyz"], "s.xyz"),
        (["photos", "w.png", "-o", "w.png", "--overwrite"], "never overwritten"),
        (
            ["photos/a.png", "--corners", "w.png", "w.png", "w.png", "w.png", "--steps", 50, "--tile", 350],
            "smaller tiles",
        ),
        (["photos/a.png", "--corners", "w.png", "w.png", "w.png", "none.png"], "none.png: no such file"),
    ],
)
def test_what_cannot_work_is_refused(
    call: Call, files: Path, tiny_folder: Path, arguments: list[object], words: str
) -> None:
    (files / "empty").mkdir()
    (files / "broken").mkdir()
    for name in ("one.png", "two.png"):
        (files / "broken" / name).write_text("no picture")
    before = sorted(files.rglob("*"))
    found = call("grid", *arguments, "--model", tiny_folder)
    *warnings, error = found.err.splitlines()
    assert (found.status, found.out, len(warnings)) == (2, b"", 2 if arguments[0] == "broken" else 0), found
    assert error.startswith("error: ") and words in error
    assert sorted(files.rglob("*")) == before
