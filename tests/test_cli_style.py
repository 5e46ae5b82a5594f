"""`wct style` and `wct style show`: what is saved, what is told about it, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from shell import Call, picture, run

from wct.cli.style import default_style
from wct.models import Model
from wct.style import Style
from wct.stylizer import Stylizer


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for seed, name in enumerate(("photo.png", "one.png", "two.png")):
        picture(tmp_path / name, seed=seed)
    return tmp_path


def test_processes_make_and_show_a_style(place: Path, tiny_folder: Path) -> None:
    made = run("style", "one.png", "two.png:0.5", "-o", "mix.style", "--model", tiny_folder, cwd=place)
    size = (place / "mix.style").stat().st_size
    assert (made.status, made.out, made.err) == (0, b"", f"mix.style: written, {size} bytes\n")
    shown = run("style", "show", "mix.style", "--json", cwd=place)
    assert (shown.status, shown.err) == (0, "")
    assert [part["name"] for part in json.loads(shown.out)["parts"]] == ["one.png", "two.png"]


def test_a_style_file_gives_the_bytes_that_its_pictures_give(call: Call, place: Path, tiny_folder: Path) -> None:
    sources, model = ["one.png", "two.png:5=0.5,2=0"], ["--model", tiny_folder]
    assert call("style", *sources, "-o", place / "mix.style", *model).status == 0
    found = [call("stylize", "photo.png", *given, "-o", "-", *model) for given in (sources, ["mix.style"], ["one.png"])]
    assert [one.status for one in found] == [0, 0, 0]
    assert found[0].out == found[1].out != found[2].out


def test_show_tells_what_is_in_the_file(call: Call, place: Path, tiny_folder: Path, tiny_model: Model) -> None:
    assert call("style", "one.png:3", "two.png:5=1,4=0", "-o", "mix.style", "--model", tiny_folder).status == 0
    found = json.loads(call("style", "show", "mix.style", "--json").out)
    one, two = found.pop("parts")
    assert found["bytes"] == (place / "mix.style").stat().st_size
    assert (found["file"], found["colors"], found["fingerprint"]) == ("mix.style", "style", tiny_model.fingerprint)
    assert found["channels"] == {f"relu{k}_1": tiny_model.card.spec.encoder.channels(k) for k in range(1, 6)}
    assert one["weights"] == {f"relu{k}_1": 1 if k == 4 else 0.75 for k in range(1, 6)}
    assert two["weights"] == {f"relu{k}_1": 0 if k == 4 else 0.25 for k in range(1, 6)}
    assert one["thumbnail"] == [37, 53]
    table = call("style", "show", "mix.style").out.decode()
    assert tiny_model.fingerprint in table and "relu2_1 6" in table
    assert "one.png" in table and "relu4_1 1, relu5_1 0.75" in table and "53x37" in table
    assert call("style", "one.png", "two.png:0.5", "-o", "even.style", "--model", tiny_folder).status == 0
    even = call("style", "show", "even.style").out.decode()
    assert "0.667" in even and "0.333" in even and "relu5_1 0." not in even


def test_style_files_are_blended_on(call: Call, place: Path, tiny_folder: Path) -> None:
    model = ["--model", tiny_folder]
    assert call("style", "one.png", *model).err.startswith("one.style: written")
    assert call("style", "one.style:2", "two.png", "-o", "a.style", *model).status == 0
    assert call("style", "one.png:2", "two.png", "-o", "b.style", *model).status == 0
    assert (place / "a.style").read_bytes() == (place / "b.style").read_bytes()
    assert call("style", "a.style", "-o", "c.style", "--blend", "barycentre", *model).status == 0
    assert [part.name for part in Style.load(place / "c.style").parts] == ["one.png + two.png"]
    assert call("style", "c.style", "two.png", "-o", "d.style", *model).status == 0
    assert [part.name for part in Style.load(place / "d.style").parts] == ["one.png + two.png", "two.png"]


def test_options_change_what_is_measured(call: Call, place: Path, tiny_folder: Path) -> None:
    picture(place / "mask.png", mode="L", seed=3)
    options: tuple[tuple[str, ...], ...] = ((), ("--mask", "mask.png"), ("--style-scale", "0.5"))
    found = set()
    for i, option in enumerate(options):
        assert call("style", "one.png", "-o", f"{i}.style", "--model", tiny_folder, *option).status == 0
        found.add((place / f"{i}.style").read_bytes())
    assert len(found) == len(options)


def test_standard_streams(place: Path, tiny_folder: Path, call: Call) -> None:
    piped = run("style", "-", "--model", tiny_folder, cwd=place, stdin=(place / "one.png").read_bytes())
    assert (piped.status, piped.err) == (0, "")
    (place / "piped.style").write_bytes(piped.out)
    assert Style.load(place / "piped.style").name == "<stdin>"
    assert "standard input holds one picture" in call("style", "-", "-").refused()


def test_a_picture_called_show(call: Call, place: Path, tiny_folder: Path) -> None:
    (place / "show").write_bytes((place / "one.png").read_bytes())
    assert call("style", "./show", "-o", "a.style", "--model", tiny_folder).status == 0
    assert Path(Style.load(place / "a.style").name).name == "show"
    assert "Missing argument 'FILE'; see wct style show --help" in call("style", "show").refused()


def test_help_tells_of_both(call: Call) -> None:
    verb, shown = call("style", "--help").out.decode(), call("style", "show", "--help").out.decode()
    assert "wct style show FILE" in verb and "--blend" in verb
    assert "Usage: wct style show" in shown and "--json" in shown and "--blend" not in shown


def test_inputs_and_files_are_kept(call: Call, place: Path, tiny_folder: Path) -> None:
    model = ["--model", tiny_folder]
    assert call("style", "one.png", "-o", "one.style", *model).status == 0
    before = {path: path.read_bytes() for path in place.iterdir()}
    picture(place / "mask.png", mode="L", seed=3)
    assert "exists already" in call("style", "one.png", *model).refused()
    for arguments in (
        ["one.style", "--overwrite"],
        ["two.png", "one.style", "-o", "one.style", "--overwrite"],
        ["one.png", "-o", "one.png", "--overwrite"],
        ["one.png", "--mask", "mask.png", "-o", "mask.png", "--overwrite"],
    ):
        assert "never overwritten" in call("style", *arguments, *model).refused()
    assert {path: path.read_bytes() for path in before} == before
    weights = tiny_folder / "encoder.safetensors"
    for verb in (("style", "two.png"), ("export", "onnx")):
        for option in (("--model", tiny_folder), ("--encoder", weights)):
            assert "never overwritten" in call(*verb, *option, "-o", weights, "--overwrite").refused()
    assert call("style", "two.png", "-o", "one.style", "--overwrite", *model).status == 0
    assert Style.load(place / "one.style").name == "two.png"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "STYLE"),
        (["none.png"], "none.png: no such file"),
        (["text"], "a text file"),
        (
            ["weights", "-o", "out.style"],
            "weights: is no style file, or damaged (a safetensors file of something else)",
        ),
        (["cut.style", "-o", "out.style"], "cut.style: is no style file, or damaged"),
        (["one.png", "other.style"], "different models"),
        (["one.png:-1"], "weight -1.0"),
        (["one.png:much"], "'much'"),
        (["one.png", "two.png", "--blend", "mix"], "'mix'"),
        (["one.png", "two.png", "--mask", "photo.png"], "--mask: found 2 styles"),
        (["cut.style", "--mask", "photo.png", "-o", "out.style"], "cut.style"),
        (["other.style", "--mask", "photo.png", "-o", "out.style"], "no mask changes"),
        (["other.style", "--style-scale", "2", "-o", "out.style"], "another scale needs the picture itself"),
        (["one.png", "--mask", "photo.png"], "has colours"),
        (["one.png", "--style-scale", "0"], "scale"),
        (["one.png", "--max-pixels", "9"], "budget is 9"),
        (["one.png", "-o", "gone/a.style"], "gone"),
        (["one.png", "-o", "."], "is a folder"),
        (["one.png", "--json"], "--json"),
        (["show", "none.style"], "none.style: no such style file"),
        (["show", "one.png"], "one.png: is no style file"),
        (["show", "cut.style"], "cut.style: is no style file, or damaged"),
        (["show", "."], "no such style file"),
        (["show", "other.style", "cut.style"], "cut.style"),
    ],
)
def test_what_cannot_work_is_one_line_and_leaves_nothing(
    call: Call, place: Path, tiny_folder: Path, other_style: bytes, arguments: list[str], words: str
) -> None:
    (place / "text").write_text("a letter, neither picture nor style")
    (place / "weights").write_bytes((tiny_folder / "encoder.safetensors").read_bytes())
    (place / "other.style").write_bytes(other_style)
    (place / "cut.style").write_bytes(other_style[:-1])
    before = sorted(place.iterdir())
    model = [] if arguments[:1] == ["show"] else ["--model", tiny_folder]
    assert words in call("style", *arguments, *model).refused()
    assert sorted(place.iterdir()) == before


@pytest.fixture(scope="module")
def other_style(tiny_model: Model, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file whose style no model here has made."""
    path = tmp_path_factory.mktemp("other") / "other.style"
    replace(Stylizer(tiny_model).style(torch.rand(3, 9, 9)), fingerprint="0" * 64).save(path)
    return path.read_bytes()


def test_where_the_style_goes_when_nobody_says() -> None:
    assert default_style("paintings/a.b.jpg") == "a.b.style"
    assert default_style("-") == "-"
