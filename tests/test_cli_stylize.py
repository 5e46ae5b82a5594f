"""`wct stylize`: what comes out, where it goes, and what is refused before anything is written."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hostile import bomb
from PIL import ExifTags, Image
from shell import Call, picture, run

from wct.cli.options import WeightedPath, parse_weighted
from wct.cli.stylize import default_output
from wct.errors import UsageError
from wct.images import read_comment


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def test_a_process_reads_jpg_and_png_and_writes_both(tmp_path: Path, tiny_folder: Path) -> None:
    content, style = picture(tmp_path / "photo.jpg"), picture(tmp_path / "wave.png", (29, 31), seed=1)
    before = content.read_bytes(), style.read_bytes()
    first = run("stylize", content, style, "-o", "out.png", "--model", tiny_folder, cwd=tmp_path)
    assert (first.status, first.out) == (0, b"")
    assert first.err == "out.png: written, 53x37\n"
    assert size_of(tmp_path / "out.png") == (53, 37)
    second = run("stylize", content, style, "-o", "out.jpg", "--model", tiny_folder, "--size", 20, cwd=tmp_path)
    assert (second.status, second.err) == (0, "out.jpg: written, 29x20\n")
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.format == "JPEG" and image.size == (29, 20)
    assert (content.read_bytes(), style.read_bytes()) == before


def test_pipes_carry_pictures_and_nothing_else(tmp_path: Path, tiny_folder: Path) -> None:
    content, style = picture(tmp_path / "photo.png"), picture(tmp_path / "wave.png", seed=1)
    found = run("stylize", "-", style, "--model", tiny_folder, cwd=tmp_path, stdin=content.read_bytes())
    assert (found.status, found.err) == (0, "")
    with Image.open(io.BytesIO(found.out)) as image:
        assert image.format == "PNG" and image.size == (53, 37)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "wave.png"]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (17, 33)])
def test_sizes_are_exact(call: Call, tmp_path: Path, tiny_folder: Path, size: tuple[int, int]) -> None:
    picture(tmp_path / "photo.png", size)
    picture(tmp_path / "wave.png", seed=1)
    found = call("stylize", "photo.png", "wave.png", "--model", tiny_folder)
    assert found.status == 0, found
    assert size_of(tmp_path / "photo-stylized.png") == size[::-1]


def test_alpha_is_kept_and_settings_are_told(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    picture(tmp_path / "photo.png", mode="RGBA")
    picture(tmp_path / "wave.png", seed=1)
    settings = ["--alpha", "0.5", "--levels", "5,3", "--strength", "5=1,3=0.25", "--mode", "cascade"]
    assert call("stylize", "photo.png", "wave.png", "-o", "out.png", "--model", tiny_folder, *settings).status == 0
    with Image.open(tmp_path / "photo.png") as before, Image.open(tmp_path / "out.png") as after:
        assert (np.asarray(before)[..., 3] == np.asarray(after)[..., 3]).all()
        wanted = "model tiny, alpha 0.5 levels 5,3 strength 5=1 strength 3=0.25 mode cascade transform ot"
        assert wanted in after.text["Comment"]


def test_weights_of_styles(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    """A weight of 0 leaves a style out, the scale does not count, and both are other pictures than the even mix."""
    for seed, name in enumerate(("photo.png", "one.png", "two.png")):
        picture(tmp_path / name, seed=seed)

    def out(*styles: str) -> bytes:
        found = call("stylize", "photo.png", *styles, "-o", "-", "--model", tiny_folder)
        assert (found.status, found.err) == (0, "")
        return found.out

    assert out("one.png:3", "two.png:0") == out("one.png")
    even = out("one.png", "two.png")
    assert even == out("one.png:2", "two.png:2") == out("one.png", "two.png:1")
    assert even != out("one.png:3", "two.png")


def test_style_scale_changes_the_style(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    picture(tmp_path / "photo.png")
    picture(tmp_path / "wave.png", (60, 60), seed=1)
    assert call("stylize", "photo.png", "wave.png", "-o", "a.png", "--model", tiny_folder).status == 0
    small = call("stylize", "photo.png", "wave.png", "-o", "b.png", "--model", tiny_folder, "--style-scale", 0.5)
    assert small.status == 0
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()


def test_sixteen_bits_and_quality(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    picture(tmp_path / "photo.png")
    base = ["stylize", "photo.png", "photo.png", "--model", tiny_folder]
    assert call(*base, "-o", "deep.png", "--bits", 16).status == 0
    assert (tmp_path / "deep.png").read_bytes()[24] == 16
    assert call(*base, "-o", "good.jpg", "--quality", 100).status == call(*base, "-o", "bad.jpg", "--quality", 5).status
    assert (tmp_path / "good.jpg").stat().st_size > 2 * (tmp_path / "bad.jpg").stat().st_size


def test_files_are_replaced_only_when_told_and_inputs_never(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    picture(tmp_path / "photo.png")
    picture(tmp_path / "wave.png", seed=1)
    (tmp_path / "out.png").write_bytes(b"precious")
    base = ["stylize", "photo.png", "wave.png:2", "--model", tiny_folder, "-o"]
    assert "out.png" in call(*base, "out.png").refused()
    assert (tmp_path / "out.png").read_bytes() == b"precious"
    assert call(*base, "out.png", "--overwrite").status == 0
    assert size_of(tmp_path / "out.png") == (53, 37)
    for name in ("photo.png", "wave.png"):
        before = (tmp_path / name).read_bytes()
        assert "never overwritten" in call(*base, name, "--overwrite").refused()
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.png", "wave.png"], "none.png: no such file"),
        (["photo.png", "none.png:2"], "none.png: no such file"),
        (["photo.png", "wave.png:much"], "'much' is not a number"),
        (["photo.png", "wave.png:-1"], "weight -1.0"),
        (["photo.png", "wave.png:nan"], "weight nan"),
        (["photo.png", "wave.png:0"], "all weights are 0"),
        (["text.png", "wave.png"], "a text file"),
        (["cut.png", "wave.png"], "cut.png"),
        (["bomb.png", "wave.png"], "budget"),
        (["photo.png", "wave.png", "--max-pixels", 10], "budget is 10"),
        (["-", "-"], "standard input holds one picture"),
        (["photo.png", "wave.png", "-o", "out.gif"], "out.gif"),
        (["photo.png", "wave.png", "-o", "gone/out.png"], "gone"),
        (["photo.png", "wave.png", "-o", "out.jpg", "--bits", 16], "bits"),
        (["photo.png", "wave.png", "--quality", 0], "--quality"),
        (["photo.png", "wave.png", "--alpha", -1], "alpha is -1"),
        (["photo.png", "wave.png", "--alpha", "nan"], "alpha is nan"),
        (["photo.png", "wave.png", "--size", 0], "--size"),
        (["photo.png", "wave.png", "--levels", "6"], "level 6"),
        (["photo.png", "wave.png", "--levels", "all"], "'all'"),
        (["photo.png", "wave.png", "--levels", ","], "no levels"),
        (["photo.png", "wave.png", "--strength", "5"], "'5'"),
        (["photo.png", "wave.png", "--strength", "9=1"], "level 9"),
        (["photo.png", "wave.png", "--mode", "double"], "'double'"),
        (["photo.png", "wave.png", "--transform", "wtc"], "'wtc'"),
        (["photo.png", "wave.png", "--model", "none"], "'none'"),
        (["photo.png", "wave.png", "--encoder", "text.png"], "text.png"),
        (["photo.png", "wave.png", "--device", "abacus"], "'abacus'"),
        (["photo.png"], "STYLE"),
        (["photo.png", "wave.png", "--colour"], "--colour"),
    ],
)
def test_what_cannot_work_is_one_line_and_leaves_nothing(
    call: Call, tmp_path: Path, tiny_folder: Path, arguments: list[object], words: str
) -> None:
    picture(tmp_path / "photo.png")
    picture(tmp_path / "wave.png", seed=1)
    (tmp_path / "text.png").write_text("a letter, not a picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:200])
    (tmp_path / "bomb.png").write_bytes(bomb("PNG", 60000, 60000))
    before = sorted(tmp_path.iterdir())
    model = [] if "--model" in arguments else ["--model", tiny_folder]
    assert words in call("stylize", *arguments, *model).refused()
    assert sorted(tmp_path.iterdir()) == before


def test_a_warning_is_one_line_and_no_failure(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    found = call("stylize", "moving.gif", "moving.gif", "-o", "-", "--model", tiny_folder)
    assert found.status == 0
    assert [line.startswith("warning: moving.gif: has several frames") for line in found.err.splitlines()] == [True] * 2


def test_paths_with_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("plain.png", "a:2", "a"):
        (tmp_path / name).touch()
    assert parse_weighted("plain.png") == WeightedPath("plain.png", 1)
    assert parse_weighted("plain.png:0.5") == WeightedPath("plain.png", 0.5)
    assert parse_weighted("a:2") == WeightedPath("a:2", 1)
    assert parse_weighted("a:2:3") == WeightedPath("a:2", 3)
    assert parse_weighted("a:3") == WeightedPath("a", 3)
    assert parse_weighted("-:2") == WeightedPath("-", 2)
    assert parse_weighted("C:\\wave.png") == WeightedPath("C:\\wave.png", 1)
    with pytest.raises(UsageError, match="'x' is not a number"):
        parse_weighted("plain.png:x")


def test_where_the_result_goes_when_nobody_says() -> None:
    assert default_output("photos/a.b.jpg") == "a.b-stylized.png"
    assert default_output("-") == "-"


def shot(path: Path) -> Path:
    """A photo with all that cameras write: lying on its side, with place and time, and a thumbnail's worth of more."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Lumen", 6
    exif[ExifTags.Base.Copyright] = "© José".encode()
    exif[ExifTags.Base.ImageDescription] = "the original"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:05:01 12:00:00"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    picture(path)
    with Image.open(path) as image:
        image.save(path.with_suffix(".jpg"), exif=exif)
    return path.with_suffix(".jpg")


@pytest.mark.parametrize("name", ["out.jpg", "out.png", "out.webp", "out.tif", "out.avif", "deep.png"])
def test_metadata_is_kept_where_it_shall_be(call: Call, tmp_path: Path, tiny_folder: Path, name: str) -> None:
    shot(tmp_path / "photo.png")
    base = ["stylize", "photo.jpg", "photo.png", "--model", tiny_folder, "--overwrite", "-o", name]
    base += ["--bits", 16] if name == "deep.png" else []
    assert call(*base).status == 0
    with Image.open(tmp_path / name) as image:
        bare = image.getexif()
        assert ExifTags.Base.Make not in bare and not bare.get_ifd(ExifTags.IFD.GPSInfo)
    assert call(*base, "--keep-metadata").status == 0
    assert str(read_comment(tmp_path / name)).startswith("wct ")
    with Image.open(tmp_path / name) as image:
        kept = image.getexif()
        assert image.size == (37, 53), "turned upright"
        assert kept[ExifTags.Base.Make] == "Lumen" and kept.get(ExifTags.Base.Orientation, 1) == 1
        assert kept.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2026:05:01 12:00:00"
        assert kept.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
        assert kept[ExifTags.Base.Copyright].encode("latin-1").decode() == "© José"
        assert "the original" not in str(kept.get(ExifTags.Base.ImageDescription, ""))


def test_metadata_that_there_is_not_or_that_cannot_be_kept(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    picture(tmp_path / "photo.png")
    tail = ["photo.png", "--model", tiny_folder, "--keep-metadata", "-o"]
    assert call("stylize", "photo.png", *tail, "out.jpg").err == "out.jpg: written, 53x37\n"
    assert "name a file" in call("stylize", "-", *tail, "other.png").refused()
    shot(tmp_path / "shot.png")
    assert "BMP holds no metadata" in call("stylize", "shot.jpg", *tail, "out.bmp").refused()
    assert not (tmp_path / "out.bmp").exists()
