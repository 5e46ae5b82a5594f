"""Style files: what comes back is what was saved, to the last bit, and anything else is one line."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import hostile
import numpy as np
import pytest
import torch
from fuzz.cases import Change, forged
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from strategies import any_rank, generator, normal, seeds
from torch import Tensor

from wct.errors import InputError, ModelError, OutputError, UsageError
from wct.gaussian import Gaussian
from wct.images import read
from wct.models import Model, find
from wct.models.spec import LEVELS
from wct.style import Part, Style
from wct.style_file import is_style, load_style, save_style
from wct.stylizer import Stylizer
from wct.swap import Texture

CHANNELS = dict(zip(LEVELS, (1, 2, 3, 5, 4), strict=True))
words = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=12).filter(str.isprintable)


def noise(h: int, w: int, seed: int = 0) -> Tensor:
    return torch.rand(3, h, w, generator=generator(seed))


@st.composite
def parts(draw: st.DrawFn) -> Part:
    gaussians = {level: Gaussian.of(draw(any_rank(CHANNELS[level]))) for level in LEVELS}
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.sampled_from([3, 4])))
    pixels = np.random.default_rng(draw(seeds)).integers(0, 256, shape, np.uint8)
    thumbnail = draw(st.sampled_from([None, read(pixels)]))
    return Part(draw(words), gaussians, dict.fromkeys(LEVELS, 1.0), thumbnail)


@st.composite
def styles(draw: st.DrawFn) -> Style:
    colors, model, fingerprint = draw(st.sampled_from(["style", "content"])), draw(words), draw(words)
    single = [Style((part,), fingerprint, colors, model) for part in draw(st.lists(parts(), min_size=1, max_size=3))]
    weight = st.floats(0.01, 100)
    weights = [draw(weight | st.fixed_dictionaries({}, optional=dict.fromkeys(LEVELS, weight))) for _ in single]
    return Style.blend(single, weights)


def assert_equal(found: Style, wanted: Style) -> None:
    for key in ("fingerprint", "colors", "model"):
        assert getattr(found, key) == getattr(wanted, key)
    for one, other in zip(found.parts, wanted.parts, strict=True):
        assert (one.name, one.weights) == (other.name, other.weights)
        assert list(one.gaussians) == list(other.gaussians)
        for level, gaussian in one.gaussians.items():
            same = other.gaussians[level]
            assert gaussian.n == same.n
            assert torch.equal(gaussian.mean, same.mean) and torch.equal(gaussian.cov, same.cov)
        assert (one.thumbnail is None) == (other.thumbnail is None)
        if one.thumbnail is not None and other.thumbnail is not None:
            assert one.thumbnail.to_pil() == other.thumbnail.to_pil()


@settings(max_examples=30)
@given(style=styles())
def test_what_is_loaded_is_what_was_saved(style: Style, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("styles")
    style.save(folder / "one.style")
    found = Style.load(folder / "one.style")
    assert_equal(found, style)
    found.save(folder / "two.style")
    style.save(folder / "three.style")
    assert len({(folder / f"{name}.style").read_bytes() for name in ("one", "two", "three")}) == 1


@settings(max_examples=20)
@given(part=parts(), seed=seeds)
def test_a_part_rounds_once_and_keeps_solved_roots(part: Part, seed: int) -> None:
    again = replace(part, weights=dict.fromkeys(LEVELS, 0.5))
    assert all(again.gaussians[level] is part.gaussians[level] for level in LEVELS)
    exact = Gaussian.of(normal((5, 9), seed))
    rounded = Part("", {4: exact}, {}).gaussians[4]
    for one, other in ((rounded.mean, exact.mean), (rounded.cov, exact.cov)):
        assert one.dtype == torch.float64 and torch.equal(one, one.float().double())
        torch.testing.assert_close(one, other, rtol=2**-24, atol=0)


def test_a_barycentre_comes_back(tiny_model: Model, tmp_path: Path) -> None:
    style = Stylizer(tiny_model).style(noise(20, 24), noise(20, 20, 1), blend="barycentre")
    style.save(tmp_path / "mean.style")
    assert len(style.parts) == 1
    assert_equal(Style.load(tmp_path / "mean.style"), style)


@pytest.mark.parametrize("look", [{}, {"transform": "ot", "alpha": 0.5}, {"mode": "cascade", "transform": "adain"}])
def test_a_saved_style_gives_the_same_picture(tiny_model: Model, tmp_path: Path, look: dict[str, Any]) -> None:
    stylizer, content = Stylizer(tiny_model), noise(24, 31)
    style = stylizer.style(noise(20, 24, 1), noise(17, 20, 2), weights=[2, {5: 1, 4: 0}])
    style.save(tmp_path / "mix.style")
    wanted = stylizer(content, style, **look).rgb
    assert torch.equal(stylizer(content, Style.load(tmp_path / "mix.style"), **look).rgb, wanted)
    assert torch.equal(stylizer(content, tmp_path / "mix.style", **look).rgb, wanted)
    assert not torch.equal(stylizer(content, noise(20, 24, 1), **look).rgb, wanted)


def test_patches_are_left_out_and_missed_by_swap(tiny_model: Model, tmp_path: Path) -> None:
    stylizer = Stylizer(tiny_model)
    style = stylizer.style(noise(20, 24), patches=True)
    assert any(isinstance(one, Texture) for one in style.parts[0].gaussians.values())
    save_style(style, tmp_path / "a.style")
    found = load_style(tmp_path / "a.style")
    assert {type(one) for one in found.parts[0].gaussians.values()} == {Gaussian}
    assert_equal(found, style)
    with pytest.raises(UsageError, match="patches"):
        stylizer(noise(20, 20), found, transform="swap")


def test_the_style_of_another_model_is_refused(tiny_model: Model, tmp_path: Path) -> None:
    stylizer = Stylizer(tiny_model)
    replace(stylizer.style(noise(20, 24)), fingerprint="0" * 64).save(tmp_path / "a.style")
    with pytest.raises(ModelError, match="another model"):
        stylizer(noise(20, 20), tmp_path / "a.style")


def test_a_style_of_the_default_model_fits_a_megabyte(tmp_path: Path) -> None:
    encoder = find("compact").spec.encoder
    gaussians = {level: Gaussian.of(normal((encoder.channels(level), 9), 0)) for level in LEVELS}
    thumbnail = read(np.zeros((96, 96, 3), np.uint8))
    Style((Part("a", gaussians, dict.fromkeys(LEVELS, 1.0), thumbnail),), "0" * 64).save(tmp_path / "a.style")
    assert (tmp_path / "a.style").stat().st_size < 1_000_000


def test_names_of_any_kind_are_saved_printable(tmp_path: Path) -> None:
    gaussians = {level: Gaussian.of(normal((2, 9), 0)) for level in LEVELS}
    style = Style((Part("two\nlines\udcff", gaussians, dict.fromkeys(LEVELS, 1.0)),), "0", model="\a")
    style.save(tmp_path / "a.style")
    assert Style.load(tmp_path / "a.style").name == "two\\nlines\\udcff"


def test_a_file_of_any_name_is_read(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "two\nlines\udcff.style"
    path.write_bytes(small)
    assert Style.load(path).parts


def test_existing_files_are_kept(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.style"
    path.write_bytes(small)
    style = Style.load(path)
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        style.save(path)
    assert path.read_bytes() == b"precious"
    style.save(path, overwrite=True)
    assert path.read_bytes() == small
    with pytest.raises(OutputError, match="does not exist"):
        style.save(tmp_path / "none" / "a.style")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of two parts of few channels."""
    path = tmp_path_factory.mktemp("small") / "a.style"
    gaussians = {level: Gaussian.of(normal((2, 9), 0)) for level in LEVELS}
    made = tuple(Part(name, gaussians, dict.fromkeys(LEVELS, 0.5), read(noise(2, 3))) for name in "ab")
    Style(made, "0" * 64, model="tiny").save(path)
    return path.read_bytes()


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        load_style(path)
    line = str(caught.value)
    assert line.isprintable() and line.startswith(str(path))
    return line


def test_every_truncation_is_refused(small: bytes, tmp_path: Path) -> None:
    for length in range(len(small)):
        refused(tmp_path / "cut.style", small[:length])
    refused(tmp_path / "long.style", small + b"\0")


@settings(max_examples=2)
@given(seed=seeds)
def test_every_flipped_bit_is_refused(small: bytes, tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    path = tmp_path_factory.mktemp("flips") / "flipped.style"
    for place, bit in enumerate(np.random.default_rng(seed).integers(0, 8, len(small))):
        data = bytearray(small)
        data[place] ^= 1 << bit
        refused(path, bytes(data))


FIRST = "0.relu4_1."
FORGERIES: list[tuple[Change, str]] = [
    (lambda table, _: table.update(format="other"), "something else"),
    (lambda table, _: table.update(version="2"), "version '2', needs '1'"),
    (lambda table, _: table.pop("version"), "version None"),
    (lambda table, _: table.update(colors="blue"), "'blue'"),
    (lambda table, _: table.update(colors=["style"]), "colors"),
    (lambda table, _: table.update(model=None), "model"),
    (lambda table, _: table.update(fingerprint="\x1b[2J"), "control characters"),
    (lambda table, _: table.pop("fingerprint"), "fingerprint"),
    (lambda table, _: table.update(parts=[]), "no parts"),
    (lambda table, _: table.update(parts={"0": 1}), "parts"),
    (lambda table, _: table.update(parts=[1]), "name"),
    (lambda table, _: table["parts"].append(table["parts"][0]), "2.relu1_1.mean"),
    (lambda table, _: table["parts"].pop(), "sum to 1"),
    (lambda table, _: table["parts"][0].update(name="two\nlines"), "control characters"),
    (lambda table, _: table["parts"][0].update(name="\udcff"), "control characters"),
    (lambda table, _: table["parts"][0].update(name=3), "name"),
    (lambda table, _: table["parts"][0].update(weights=[0.5] * 5), "weights"),
    (lambda table, _: table["parts"][0]["weights"].pop("relu3_1"), "relu3_1"),
    (lambda table, _: table["parts"][0]["weights"].update(relu3_1=0.6), "sum to 1"),
    (lambda table, _: table["parts"][0]["weights"].update(relu3_1=-0.5), "weight -0.5"),
    (lambda table, _: table["parts"][0]["weights"].update(relu3_1=float("nan")), "weight nan"),
    (lambda table, _: table["parts"][0]["weights"].update(relu3_1=float("inf")), "sum to 1"),
    (lambda table, _: table["parts"][0]["weights"].update(relu3_1=True), "relu3_1"),
    (lambda table, _: table["parts"][0]["n"].update(relu3_1=-1), "not -1.0"),
    (lambda table, _: table["parts"][0]["n"].update(relu3_1=0), "not 0.0"),
    (lambda table, _: table["parts"][0]["n"].update(relu3_1=10**400), "not inf"),
    (lambda table, _: table["parts"][0]["n"].update(relu3_1="9"), "relu3_1"),
    (lambda _, tensors: tensors.pop(FIRST + "mean"), FIRST + "mean is missing"),
    (lambda _, tensors: tensors.pop(FIRST + "cov"), FIRST + "cov is missing"),
    (lambda _, tensors: tensors.update({FIRST + "mean": torch.zeros(3)}), "a mean of (3,)"),
    (lambda _, tensors: tensors.update({FIRST + "mean": torch.zeros(0), FIRST + "cov": torch.zeros(0)}), "(0,)"),
    (lambda _, tensors: tensors.update({FIRST + "mean": torch.zeros(())}), "a mean of ()"),
    (lambda _, tensors: tensors.update({FIRST + "mean": torch.zeros(2, 1)}), "a mean of (2, 1)"),
    (lambda _, tensors: tensors.update({FIRST + "cov": torch.zeros(2, 2)}), "a triangle of (2, 2)"),
    (lambda _, tensors: tensors.update({FIRST + "cov": torch.zeros(3).half()}), "float16"),
    (lambda _, tensors: tensors.update({FIRST + "mean": torch.zeros(2).int()}), "int32"),
    (lambda _, tensors: tensors.update({FIRST + "mean": torch.tensor([0, torch.nan])}), "NaN"),
    (lambda _, tensors: tensors.update({FIRST + "cov": torch.tensor([1, torch.inf, 1])}), "inf"),
    (lambda _, tensors: tensors.update({FIRST + "cov": torch.tensor([1.0, 0, -1])}), "negative variance"),
    (lambda _, tensors: tensors.update({FIRST + "mean": torch.zeros(1), FIRST + "cov": torch.zeros(1)}), "differ"),
    (lambda _, tensors: tensors.update({"0.thumbnail": torch.zeros(3, 0, 4).byte()}), "(3, 0, 4)"),
    (lambda _, tensors: tensors.update({"0.thumbnail": torch.zeros(2, 4, 4).byte()}), "(2, 4, 4)"),
    (lambda _, tensors: tensors.update({"0.thumbnail": torch.zeros(9).byte()}), "(9,)"),
    (lambda _, tensors: tensors.update({"0.thumbnail": torch.zeros(3, 4, 4)}), "float32"),
]


def test_forgeries_are_refused(small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "forged.style"
    path.write_bytes(forged(small, lambda *_: None))
    assert load_style(path).name == "a, b"
    for change, found in FORGERIES:
        assert found in refused(path, forged(small, change))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "3",
        '"wct style"',
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 10_000,
        '{"format": "wct style"}',
    ],
)
def test_metadata_of_any_kind(text: str, tmp_path: Path) -> None:
    assert "no style file" in refused(tmp_path / "odd.style", save({"a": torch.zeros(1)}, {"wct": text}))


@pytest.mark.parametrize("kind", ["BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4", "BF16", "F64", "C64", "U64", "X9", ""])
def test_tensors_of_any_kind(kind: str, small: bytes, tmp_path: Path) -> None:
    """Under the metadata of a style, so that the tensors are looked at."""
    size = int.from_bytes(small[:8], "little")
    known = json.loads(small[8 : 8 + size])["__metadata__"]
    bits = {"F4": 4, "BF16": 16, "F64": 64, "C64": 64, "U64": 64}.get(kind, 8)
    header = {"__metadata__": known, "a": {"dtype": kind, "shape": [16], "data_offsets": [0, 2 * bits]}}
    text = json.dumps(header).encode()
    assert "no style file" in refused(tmp_path / "odd.style", len(text).to_bytes(8, "little") + text + bytes(2 * bits))


def test_a_file_is_known_by_its_content(small: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
        Path("picture").write_bytes(hostile.file_of(hostile.tiles(), kind))
        assert not is_style("picture")
    for data in (b"", b"{", b"a letter {", b"\0" * 8, b"\0" * 9, b"\xff" * 8 + b"{}", small[:8]):
        Path("other").write_bytes(data)
        assert not is_style("other")
    Path("-").write_bytes(small)
    Path("wave.png").write_bytes(small)
    os.mkfifo("pipe")
    assert not any(is_style(name) for name in ("-", ".", "missing", "a\0b", "pipe", ""))
    assert is_style("wave.png") and is_style(Path("-").resolve())
    for name in (".", "missing", "a\0b", "pipe"):
        with pytest.raises(InputError, match="no such style file"):
            load_style(name)


def test_weights_of_a_model_are_no_style(tiny_folder: Path) -> None:
    weights = tiny_folder / "encoder.safetensors"
    assert is_style(weights)
    with pytest.raises(InputError, match="a safetensors file of something else"):
        load_style(weights)
