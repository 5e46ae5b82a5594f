"""Notebooks as they are kept, what they import, and how wct's things show themselves in them. They run under nbmake."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image
from strategies import generator

from wct.errors import UsageError
from wct.gaussian import Gaussian
from wct.images import Picture
from wct.images.picture import SHOWN
from wct.models import Model
from wct.style import Style
from wct.stylizer import Stylizer

NOTEBOOKS = sorted(Path(__file__).resolve().parents[1].glob("notebooks/*.ipynb"))
EVIL = '<script>alert("1")</script>'


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def imported(source: str) -> Iterator[tuple[str, str | None]]:
    """(module, name) of all imports; name is None for a whole module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_is_valid_and_holds_no_results(self, path: Path) -> None:
        notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)
        assert set(notebook.metadata) == {"kernelspec", "language_info"}
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids)
        assert all(cell.metadata == {} and cell.source for cell in notebook.cells)
        assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path, "code"))

    def test_uses_what_is_public(self, path: Path) -> None:
        source = "\n".join("".join(cell["source"]) for cell in cells(path, "code"))
        ours = {(module, name) for module, name in imported(source) if module.split(".")[0] == "wct"}
        assert ours
        for module, name in ours:
            assert name is None or name in import_module(module).__all__, (module, name)
        used = {node.attr for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
        assert not {name for name in used if name.startswith("_")}

    def test_what_it_links_to_is_there(self, path: Path) -> None:
        text = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
        links = [part.split(")")[0] for part in text.split("](")[1:]]
        assert all((path.parent / link).is_file() for link in links)


def test_they_are_numbered() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "06", "07"]


class Tags(HTMLParser):
    """What a browser sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for key, value in attrs if key == "src"]

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def noise(h: int, w: int, name: str = "noise", seed: int = 0) -> Picture:
    return Picture(torch.rand(3, h, w, generator=generator(seed)), None, name)


@pytest.fixture(scope="module")
def stylizer(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


def test_a_style_shows_its_pictures_names_weights_and_levels(stylizer: Stylizer) -> None:
    style = stylizer.style(noise(40, 60, "waves"), noise(40, 40, "tiles", 1), weights=[3, {5: 3, 4: 9}])
    seen = Tags(style._repr_html_())
    assert seen.tags.count("img") == 2
    assert all(source.startswith("data:image/png;base64,") for source in seen.sources)
    for words in ("waves", "tiles", "tiny", "relu4_1 (8)", "25% at 4, 50% at 5", "75% at 4, 50% at 5"):
        assert words in seen.text


def test_hostile_names_are_harmless(stylizer: Stylizer) -> None:
    style = replace(stylizer.style(noise(32, 32, EVIL)), model=EVIL)
    style = replace(style, parts=(replace(style.parts[0], name=f"{EVIL}\n\x07<img src=x>", thumbnail=None),))
    seen = Tags(style._repr_html_())
    assert set(seen.tags) <= {"b", "table", "tr", "th", "td"}
    assert seen.text.count(EVIL) == 2 and "<img src=x>" in seen.text
    assert all("\n" not in repr(one) for one in (style, noise(1, 1, "a\nb")))


def test_a_barycentre_shows_itself_without_a_picture(stylizer: Stylizer) -> None:
    style = stylizer.style(noise(32, 32, "a"), noise(32, 32, "b", 1), blend="barycentre")
    seen = Tags(style._repr_html_())
    assert "img" not in seen.tags and "a + b" in seen.text and "100%" in seen.text


def test_a_gaussian_shows_how_its_variance_is_spread() -> None:
    values = torch.tensor([0.5, 99.0, 0.0, 10.5], dtype=torch.float64)
    gaussian = Gaussian(1234, torch.zeros(4, dtype=torch.float64), values.diag())
    assert gaussian.spectrum.tolist() == [99.0, 10.5, 0.5, 0.0]
    assert [gaussian.directions(share) for share in (0, 0.9, 0.99, 1)] == [1, 1, 2, 3]
    with pytest.raises(UsageError, match="is 99; needs a number from 0 to 1"):
        gaussian.directions(99)
    text = Tags(gaussian._repr_html_()).text
    assert "channels 4" in text and "1,234" in text and "99, 10.5, 0.5, 0" in text
    assert "90 % of the variance 1 " in text and "99 % of the variance 2 " in text


def test_a_flat_gaussian_varies_in_no_direction() -> None:
    flat = Gaussian.of(torch.ones(3, 4, 4))
    assert flat.directions(0.99) == 0
    assert "99 % of the variance 0 " in Tags(flat._repr_html_()).text


@pytest.mark.parametrize("size", [(1, 1), (30, 50), (SHOWN + 100, 3)])
def test_a_picture_shows_itself_whole_and_not_too_large(size: tuple[int, int]) -> None:
    alpha = np.full(size, 128, np.uint8)
    picture = replace(noise(*size), alpha=alpha)
    with Image.open(io.BytesIO(picture._repr_png_())) as shown:
        assert (shown.format, shown.mode) == ("PNG", "RGBA")
        assert max(shown.size) == min(max(size), SHOWN)
        if max(size) <= SHOWN:
            assert shown.size == size[::-1] and np.array_equal(shown, picture.to_pil())


def test_reprs_are_short(stylizer: Stylizer) -> None:
    style: Style = stylizer.style(noise(32, 32, "waves"))
    assert repr(noise(30, 50)) == "<Picture noise: 50x30>"
    assert repr(style) == "<Style waves, for tiny>"
    assert repr(style.parts[0].gaussians[1]) == "<Gaussian: 4 channels, n 1024>"
    swapped = stylizer.style(noise(64, 64, "tiles"), patches=True)
    assert all("tensor" not in repr(one) for part in swapped.parts for one in (part, *part.gaussians.values()))
