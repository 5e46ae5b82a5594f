"""`wct texture`: sizes, seeds, tiles, and what is refused before anything is written."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shell import Call, picture, run

from wct.cli.texture import parse_size
from wct.errors import UsageError


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for seed, name in ((1, "wave.png"), (2, "leaf.png")):
        picture(tmp_path / name, (40, 60), seed=seed)
    (tmp_path / "text.png").write_text("a letter, not a picture")
    return tmp_path


def test_a_process_makes_a_texture(files: Path, tiny_folder: Path) -> None:
    before = (files / "wave.png").read_bytes()
    found = run("texture", "wave.png", "--size", "48x80", "--model", tiny_folder, cwd=files)
    assert (found.status, found.out, found.err) == (0, b"", "wave-texture.png: written, 80x48\n")
    with Image.open(files / "wave-texture.png") as image:
        assert (image.size, image.mode) == ((80, 48), "RGB")
        assert "texture seed 0" in image.text["Comment"] and "passes 3" in image.text["Comment"]
        assert np.asarray(image).std() > 5
    assert (files / "wave.png").read_bytes() == before


@pytest.mark.usefixtures("files")
def test_what_makes_another_texture(call: Call, tiny_folder: Path) -> None:
    def made(*arguments: object) -> bytes:
        found = call("texture", *arguments, "--size", 32, "-o", "-", "--model", tiny_folder)
        assert (found.status, found.err) == (0, ""), found
        with Image.open(io.BytesIO(found.out)) as image:
            return image.tobytes()

    plain = made("wave.png")
    assert plain == made("wave.png", "--seed", 0) == made("wave.png:2") == made("wave.png", "leaf.png:0")
    others = [
        ("wave.png", "--seed", 1),
        ("wave.png", "--tileable"),
        ("wave.png", "--passes", 1),
        ("wave.png", "--alpha", 0.5),
        ("wave.png", "--transform", "swap"),
        ("wave.png", "--style-scale", 0.5),
        ("leaf.png",),
        ("wave.png", "leaf.png"),
        ("wave.png", "leaf.png", "--blend", "barycentre"),
        ("wave.png:5=0", "leaf.png"),
    ]
    assert len({plain, *(made(*other) for other in others)}) == 1 + len(others)


def test_a_style_file_is_its_picture(call: Call, files: Path, tiny_folder: Path) -> None:
    assert call("style", "wave.png", "-o", "wave.style", "--model", tiny_folder).status == 0
    first, second = (
        call("texture", source, "--size", 32, "-o", f"{source}.png", "--model", tiny_folder)
        for source in ("wave.png", "wave.style")
    )
    assert first.status == second.status == 0
    one, other = (np.asarray(Image.open(files / f"{source}.png")) for source in ("wave.png", "wave.style"))
    assert np.array_equal(one, other)


def test_files_are_replaced_only_when_told_and_inputs_never(call: Call, files: Path, tiny_folder: Path) -> None:
    (files / "out.png").write_bytes(b"precious")
    base = ["texture", "wave.png:2", "--size", 16, "--model", tiny_folder, "-o"]
    assert "out.png" in call(*base, "out.png").refused()
    assert (files / "out.png").read_bytes() == b"precious"
    assert call(*base, "out.png", "--overwrite").status == 0
    assert "never overwritten" in call(*base, "wave.png", "--overwrite").refused()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "STYLE"),
        (["gone.png"], "gone.png: no such file"),
        (["text.png"], "a text file"),
        (["wave.png", "--size", "0"], "texture size is 0x0"),
        (["wave.png", "--size", "16x0"], "texture size is 16x0"),
        (["wave.png", "--size", "wide"], "size 'wide': needs a number of pixels"),
        (["wave.png", "--size", "-5"], "size '-5'"),
        (["wave.png", "--size", "16x16x3"], "size '16x16x3'"),
        (["wave.png", "--size", "9999999"], "size '9999999'"),
        (["wave.png", "--size", "999999"], "raise --max-pixels"),
        (["wave.png", "--size", "100", "--max-pixels", 9999], "has 10000 pixels, more than 9999"),
        (["wave.png", "--size", "500", "--tileable"], "multiples of 16, such as 496x496"),
        (["wave.png", "--size", "16", "--tileable", "--transform", "swap"], "cannot be made by swap"),
        (["wave.png", "--seed", -1], "seed is -1"),
        (["wave.png", "--seed", "x"], "--seed"),
        (["wave.png", "--passes", 0], "--passes"),
        (["wave.png", "--alpha", "nan"], "alpha is nan"),
        (["wave.png", "--style-scale", 9], "--style-scale"),
        (["wave.png", "--transform", "wtc"], "'wtc'"),
        (["wave.png", "--blend", "mean"], "blend 'mean' is unknown"),
        (["wave.png:0"], "all weights are 0"),
        (["wave.png:7=1"], "weight of level 7"),
        (["wave.png", "-o", "out.gif"], "out.gif"),
        (["wave.png", "-o", "gone/out.png"], "gone"),
        (["wave.png", "--device", "abacus"], "'abacus'"),
        (["wave.png", "--model", "none"], "'none'"),
    ],
)
def test_what_cannot_work_is_one_line_and_leaves_nothing(
    call: Call, files: Path, tiny_folder: Path, arguments: list[object], words: str
) -> None:
    before = sorted(files.iterdir())
    model = [] if "--model" in arguments else ["--model", tiny_folder]
    assert words in call("texture", *arguments, *model).refused()
    assert sorted(files.iterdir()) == before


def test_sizes() -> None:
    assert parse_size("512") == (512, 512)
    assert parse_size(" 480x640 ") == (480, 640)
    for wrong in ("", "x", "5x", "x5", "1.5", "5 x 6", "1e3"):
        with pytest.raises(UsageError, match="needs a number of pixels"):
            parse_size(wrong)
