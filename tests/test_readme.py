"""The README and the model cards: their programs run, their commands exist, their figures are those measured."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from shell import picture
from typer.main import get_command

from wct.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("decoders/*/README.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in FENCE.findall(page.read_text(encoding="utf-8")) if found == language]


def commands() -> list[list[str]]:
    """The words of every `wct …` in a block of lines for the shell, without comments."""
    lines = [line for page in PAGES for text in blocks(page, "") for line in text.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[line.index("wct") + 1 :] for line in words if "wct" in line and "install" not in line]


def test_the_programs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("photo.jpg", "wave.jpg", "sketch.png", "sky.png", "face.png")):
        picture(tmp_path / name, (48, 64), seed=seed)
    (tmp_path / "paintings").mkdir()
    picture(tmp_path / "paintings" / "one.png")
    found = [text for page in PAGES for text in blocks(page, "python")]
    assert found
    names: dict[str, Any] = {}
    for text in found:
        exec(text, names)
    assert (tmp_path / "out.png").is_file()


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_commands_exist(words: list[str]) -> None:
    """Every verb, option and value is one that is known; nothing is done."""
    command: Any = get_command(app)
    context = command.make_context("wct", list(words), resilient_parsing=False)
    rest = list(context._protected_args) + list(context.args)
    while hasattr(command, "commands"):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)
        rest = list(getattr(context, "_protected_args", [])) + list(context.args)


def test_options_named_in_the_text_exist() -> None:
    known: set[str] = set()

    def collect(command: Any) -> None:
        known.update(name for one in command.params for name in one.opts)
        for below in getattr(command, "commands", {}).values():
            collect(below)

    collect(get_command(app))
    known |= {"--help", "--nproc-per-node"}
    text = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert named <= known, named - known


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = (line.lstrip("# ").lower() for line in text.splitlines() if line.startswith("#"))
        heads = {re.sub(r"[^\w -]", "", line).replace(" ", "-") for line in lines}
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if target.startswith("#"):
                assert target[1:] in heads, (page, target)
            elif not target.startswith("http"):
                assert (page.parent / target).exists(), (page, target)


@pytest.mark.parametrize("name", ["compact", "vgg19"])
def test_the_cards_have_the_measured_figures(name: str) -> None:
    """Those of `wct evaluate reconstruction` that were written into model.toml."""
    table = tomllib.loads((ROOT / "decoders" / name / "model.toml").read_text(encoding="utf-8"))
    text = (ROOT / "decoders" / name / "README.md").read_text(encoding="utf-8")
    median = " | ".join(f"{table['quality'][f'relu{level}_1']:.1f}" for level in range(1, 6))
    assert f"| median | {median} |" in text
