"""`wct compare`, and `wct stylize --refine`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from shell import Call, picture

from wct.cli.terminal import Tell
from wct.images import Picture, read, read_comment
from wct.methods.family import METHODS, Studio, stylized
from wct.methods.stylenet import NetSpec, StyleNet
from wct.models import Model
from wct.stylizer import Stylizer


@pytest.fixture
def files(tmp_path: Path) -> Path:
    picture(tmp_path / "photo.png", (40, 60))
    picture(tmp_path / "mine.png", (50, 40), seed=1)
    StyleNet(NetSpec(["mine"], [4, 4, 4], 1)).save(tmp_path / "one")
    StyleNet(NetSpec(["mine", "other"], [4, 4, 4], 1)).save(tmp_path / "two")
    return tmp_path


def test_every_method_that_can_is_on_the_sheet_and_in_the_table(files: Path, call: Call, tiny_folder: Path) -> None:
    common = ("compare", "photo.png", "mine.png", "--size", 32, "--model", tiny_folder, "--device", "cpu", "--json")
    found = call(*common, "-o", "sheet.png", "--net", "one", "--net", "two")
    assert found.status == 0, found
    table = json.loads(found.out)
    assert [row["method"] for row in table["rows"]] == list(METHODS) and table["distances_of"] == "tiny"
    assert all(
        row["seconds"] >= 0 and row["style_distance"] > 0 and row["content_distance"] > 0 for row in table["rows"]
    )
    assert read(files / "sheet.png").size[1] > 4 * 320
    less = call(*common, "-o", "less.png", "--net", "one", "--methods", "wct, gatys")
    assert [row["method"] for row in json.loads(less.out)["rows"]] == ["wct", "gatys"]


@pytest.mark.usefixtures("files")
def test_what_has_not_been_learnt_is_left_out_unless_it_was_asked_for(call: Call, tiny_folder: Path) -> None:
    common = ("compare", "photo.png", "photo.png", "--size", 16, "--model", tiny_folder, "--net", "two", "-o", "s.png")
    found = call(*common)
    assert found.status == 0 and b"gatys" in found.out
    assert [line.split(" is left out")[0] for line in found.err.splitlines()] == ["feedforward", "cin"]
    assert "wct train feedforward" in call(*common, "--overwrite", "--methods", "cin").refused()
    assert "needs some of" in call(*common, "--overwrite", "--methods", "magic").refused()
    assert "exists" in call(*common).refused()


@pytest.mark.usefixtures("files")
def test_a_sheet_on_standard_output_is_all_that_is_there(call: Call, tiny_folder: Path) -> None:
    common = ("compare", "photo.png", "mine.png", "--size", 16, "--model", tiny_folder, "--methods", "wct", "-o", "-")
    found = call(*common)
    assert found.status == 0 and "wct" in found.err
    assert found.out.startswith(b"\x89PNG") and found.out.endswith(b"IEND\xaeB`\x82")
    assert "name a file" in call(*common, "--json").refused()
    assert "standard input holds one picture" in call("compare", "-", "-").refused()


def test_one_signature_for_all(files: Path, tiny_model: Model) -> None:
    content, style = read(files / "photo.png"), read(files / "mine.png")
    studio = Studio(Stylizer(tiny_model), [StyleNet.load(files / name) for name in ("one", "two")])
    for name in METHODS:
        made = stylized(name, content, style, studio)
        assert isinstance(made, Picture) and made.size == content.size
    assert np.array_equal(stylized("wct", content, style, studio).rgb, Stylizer(tiny_model)(content, style).rgb)


class TestRefine:
    """`wct stylize --refine`."""

    def test_it_goes_on_from_the_result(self, files: Path, call: Call, tiny_folder: Path) -> None:
        common = ("stylize", "photo.png", "mine.png", "--model", tiny_folder)
        assert call(*common, "-o", "plain.png").status == 0
        assert call(*common, "-o", "fine.png", "--refine", 3).status == 0
        plain, fine = (read(files / name).rgb for name in ("plain.png", "fine.png"))
        assert plain.shape == fine.shape and 0 < float((plain - fine).abs().mean()) < 0.1
        assert "refine 3" in (read_comment(files / "fine.png") or "")
        assert "regions" in call(*common, "--mask", "photo.png", "--refine", 3, "-o", "x.png").refused()

    def test_ctrl_c_writes_what_there_is(
        self, files: Path, call: Call, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @contextmanager
        def interrupting(_: str) -> Iterator[Tell]:
            def tell(done: float, _: int | None, what: str = "") -> None:
                if what.startswith("loss") and done == 5:
                    raise KeyboardInterrupt

            yield tell

        common = ("stylize", "photo.png", "mine.png", "--model", tiny_folder)
        assert call(*common, "-o", "five.png", "--refine", 5).status == 0
        monkeypatch.setattr("wct.cli.stylize.bar", interrupting)
        found = call(*common, "-o", "out.png", "--refine", 10**6)
        assert found.status == 0 and "stopped" in found.err, found
        assert torch.equal(read(files / "out.png").rgb, read(files / "five.png").rgb)
