"""wct among other programs: shells that complete its lines, type checkers that read it, torch.hub, doctest."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from shell import LIMIT, environment, run

import wct

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    "wct.augment",
    "wct.batch",
    "wct.gaussian",
    "wct.images.picture",
    "wct.maps",
    "wct.methods.gatys",
    "wct.methods.stylenet",
    "wct.regions",
    "wct.sheet",
    "wct.style",
    "wct.stylizer",
    "wct.transforms",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_docstrings_are_true(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0 and found.failed == 0


class TestCompletion:
    """What shells get."""

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_there_is_a_script_for_the_shell(self, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")  # the shell is named instead
        found = run("--show-completion", shell, cwd=ROOT)
        assert found.status == 0 and b"_WCT_COMPLETE" in found.out, found

    @pytest.mark.parametrize(
        ("line", "wanted"),
        [
            ("wct sty", {"style", "stylize"}),
            ("wct stylize --transf", {"--transform"}),
            ("wct stylize a.jpg b.jpg --transform a", {"adain"}),
            ("wct video a.mp4 b.jpg --color lum", {"luminance"}),
            ("wct batch a b --blend bar", {"barycentre"}),
            ("wct train de", {"decoders"}),
            ("wct stylize a.jpg b.jpg --model com", {"compact"}),
            ("wct stylize pho", set()),  # a file: left to the shell
        ],
    )
    def test_verbs_options_and_values(self, line: str, wanted: set[str], tmp_path: Path) -> None:
        words = {"_WCT_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
        done = subprocess.run(
            [sys.executable, "-m", "wct"], env=environment() | words, cwd=tmp_path, capture_output=True, timeout=LIMIT
        )
        assert set(done.stdout.decode().split()) == wanted, done


CONSUMER = """
from pathlib import Path

import torch

import wct

stylizer: wct.Stylizer = wct.Stylizer("compact", device="cpu")
style: wct.Style = stylizer.style("a.jpg", Path("b.jpg"), weights=[2, {5: 1.0}])
picture: wct.Picture = stylizer("photo.jpg", style, alpha=0.6, tile=512)
picture.save("out.png", overwrite=True)
pixels: torch.Tensor = picture.rgb
gaussian: wct.Gaussian = wct.Gaussian.of(torch.rand(3, 8, 8))
moved: wct.AffineMap = wct.AffineMap.identity(3)
regions = [wct.Region(style, "sky.png"), wct.Region(None, "face.png")]
look: wct.Look = wct.Look(alpha=0.5)
model: wct.Model = wct.Model.load("compact")
sheet: wct.Picture = wct.compare({"result": stylizer("photo.jpg", regions, look=look)})
augment: wct.Stylize = wct.Stylize("styles", alpha=(0.2, 1.0), model=model)
try:
    stylizer("none.jpg", style)
except wct.WctError as error:
    print(wct.__version__, error)
"""


def test_type_checkers_know_the_public_names_and_find_wrong_uses(tmp_path: Path) -> None:
    assert all(f"wct.{name}" in CONSUMER for name in wct.__all__)
    (tmp_path / "right.py").write_text(CONSUMER)
    wrong = ["import wct", "", 'wct.Stylizer().style(weights="no")', 'wct.Picture("no").size + 1']
    (tmp_path / "wrong.py").write_text("\n".join(wrong))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ROOT / ".mypy_cache"]
    command += ["--config-file", os.devnull]
    found = {
        name: subprocess.run(
            [*command, tmp_path / name], env=environment() | {"MYPYPATH": str(ROOT)}, capture_output=True, text=True
        )
        for name in ("right.py", "wrong.py")
    }
    assert "right.py" not in found["right.py"].stdout, found["right.py"].stdout
    lines = [line for line in found["wrong.py"].stdout.splitlines() if "wrong.py" in line]
    assert {int(line.split(":")[1]) for line in lines} == {3, 4}, lines


def test_torch_hub_finds_a_stylizer(tmp_path: Path) -> None:
    code = (
        "import json, sys, torch\n"
        f"where = {str(ROOT)!r}\n"
        "found = torch.hub.load(where, 'stylizer', source='local', name='compact', device='cpu')\n"
        "size = found(torch.rand(3, 20, 30), torch.rand(3, 16, 16)).size\n"
        "print(json.dumps([type(found).__name__, size]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), cwd=tmp_path, capture_output=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == ["Stylizer", [20, 30]]
