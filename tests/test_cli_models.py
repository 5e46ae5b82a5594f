"""`wct models` and `wct doctor`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from shell import Call, run
from tiny import TINY, write_tiny

from wct.models import Model, names


def test_a_folder_of_any_name_is_loaded_and_told_of(tmp_path: Path, call: Call) -> None:
    folder = write_tiny(tmp_path / "tiny").rename(tmp_path / "two\nlines\udcff")
    assert Model.load(folder).card.folder == folder
    shown = json.loads(call("models", folder, "--json").out)[0]
    assert shown["folder"].endswith("two\\nlines\\udcff")


def test_models_lists_what_is_shipped(call: Call) -> None:
    found = call("models", "--json")
    assert (found.status, found.err) == (0, "")
    rows = {row["name"]: row for row in json.loads(found.out)}
    assert sorted(rows) == names()
    vgg = rows["vgg19"]
    assert "CC BY 4.0" in vgg["licence"] and vgg["decoders"]
    assert [Path(file).name for file in vgg["missing"]] == ["encoder.safetensors"]
    table = call("models")
    assert table.status == 0 and b"vgg19" in table.out and b"not in place" in table.out


def test_models_describes_a_folder(call: Call, tmp_path: Path) -> None:
    write_tiny(tmp_path / "mine", title="Mine [/b]", licence="MIT", quality={"relu1_1": 51.5})
    (row,) = json.loads(call("models", "mine", "--json").out)
    size = sum(file.stat().st_size for file in (tmp_path / "mine").glob("*.safetensors"))
    assert (row["title"], row["licence"], row["bytes"], row["missing"]) == ("Mine [/b]", "MIT", size, [])
    assert row["channels"] == {f"relu{k}_1": rank for k, rank in enumerate(TINY["encoder"]["ranks"], 1)}
    table = call("models", "mine").out.decode()
    assert "Mine [/b]" in table and "relu1_1 51.5" in table
    assert "vgg19" in call("models", "vgg9").refused()


def test_doctor_is_content_in_a_process_of_its_own(tmp_path: Path, tiny_folder: Path) -> None:
    found = run("doctor", tiny_folder, "--json", cwd=tmp_path)
    assert (found.status, found.err) == (0, "")
    report = json.loads(found.out)
    assert report["problems"] == []
    assert {"wct", "python", "torch", "torchvision", "numpy", "scipy", "pillow"} <= set(report["versions"])
    assert re.search(r"; bfloat16 is \d+\.\d times as fast$", report["devices"]["cpu"])
    (model,) = report["models"]
    assert model == {"name": "tiny", "state": "works", "about": "sha256 as promised; stylises on " + device(report)}


def device(report: dict[str, dict[str, str]]) -> str:
    return next((name for name in ("cuda", "mps") if any(key.startswith(name) for key in report["devices"])), "cpu")


@pytest.mark.parametrize(("part", "word"), [("encoder", "sha256"), ("decoder", "no such weights file")])
def test_doctor_names_what_is_wrong(call: Call, tmp_path: Path, tiny_folder: Path, part: str, word: str) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "broken")
    weights = folder / f"{part}.safetensors"
    if part == "encoder":
        weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    else:
        weights.unlink()
    found = call("doctor", folder, "--device", "cpu")
    assert found.status == 1
    assert b"broken" in found.out and b"torch" in found.out
    problem, verdict = found.err.splitlines()
    assert problem.startswith("problem: ") and part in problem and word in problem
    assert verdict.startswith("problem: no model works")


def test_doctor_sees_packages_that_do_not_load(call: Call, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torchvision", None)
    found = call("doctor", tiny_folder, "--device", "cpu")
    assert found.status == 1 and found.err.startswith("problem: torchvision: does not load")


def test_doctor_runs_models_without_decoders(call: Call, tmp_path: Path) -> None:
    write_tiny(tmp_path / "eye", stages={})
    (row,) = json.loads(call("doctor", "eye", "--device", "cpu", "--json").out)["models"]
    assert row["about"] == "sha256 as promised; encodes on cpu"


def test_an_encoder_that_users_bring_may_be_absent(call: Call, tiny_folder: Path) -> None:
    found = call("doctor", "vgg19", tiny_folder, "--device", "cpu", "--json")
    assert (found.status, found.err) == (0, "")
    assert [row["state"] for row in json.loads(found.out)["models"]] == ["absent", "works"]
