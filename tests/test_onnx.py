"""The stylisation as an ONNX file: what it gives through onnxruntime is what the engine gives."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import helper
from shell import Call

from wct import Stylizer, __version__
from wct.images import Picture, read
from wct.linalg import RELATIVE_CUT, sqrt_pair
from wct.models import Model
from wct.onnx import parts, whole
from wct.onnx.stylization import _functions
from wct.samples import paint, photo

Session = onnxruntime.InferenceSession
Pixels = NDArray[np.float32]


def session(model: bytes) -> Session:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return Session(model, options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def compact() -> Stylizer:
    return Stylizer(device="cpu")


@pytest.fixture(scope="module")
def graph(compact: Stylizer) -> onnx.ModelProto:
    return whole(compact.model, 2)


@pytest.fixture(scope="module")
def running(graph: onnx.ModelProto) -> Session:
    return session(graph.SerializeToString())


@pytest.fixture(scope="module")
def tiny(tiny_model: Model) -> tuple[Stylizer, Session]:
    return Stylizer(tiny_model), session(whole(tiny_model, 2).SerializeToString())


@pytest.fixture(scope="module")
def pictured(pictured_model: Model) -> tuple[Stylizer, Session]:
    return Stylizer(pictured_model), session(whole(pictured_model, 2).SerializeToString())


def pixels(picture: Picture) -> Pixels:
    return picture.rgb[None].numpy()


def made(
    running: Session, content: Picture, styles: list[Picture], weights: list[float], alpha: float, **more: float
) -> Pixels:
    named = {f"style{i}": pixels(style) for i, style in enumerate(styles, 1)}
    single = {name: np.array([value], np.float32) for name, value in {"alpha": alpha, **more}.items()}
    numbers = {"weights": np.array(weights, np.float32), **single}
    picture: Pixels = running.run(None, {"content": pixels(content), **named, **numbers})[0]
    return picture[0]


def distance(
    stylizer: Stylizer,
    running: Session,
    content: Picture,
    styles: list[Picture],
    weights: list[float],
    alpha: float,
    **more: float,
) -> float:
    """The largest difference to the engine, in grey levels."""
    found = made(running, content, styles, weights, alpha, **more)
    needed = stylizer(content, stylizer.style(*styles, weights=weights), alpha=alpha, **more).rgb.numpy()
    assert found.shape == needed.shape
    return float(np.abs(found - needed).max() * 255)


def halves(size: tuple[int, int]) -> Picture:
    """Two colours, side by side."""
    drawn = np.zeros((*size, 3), np.uint8)
    drawn[:, size[1] // 2 :] = 220, 40, 90
    return read(drawn)


CONTENTS: dict[str, Callable[[], Picture]] = {
    "portrait": lambda: photo("astronaut").resized((97, 131)),
    "cup": lambda: photo("coffee").resized((128, 101)),
    "cat": lambda: photo("chelsea").resized((113, 161)),
    "a strip": lambda: photo("coffee").resized((19, 150)),
    "smaller than a feature": lambda: photo("chelsea").resized((5, 7)),
    "a pixel": lambda: photo("chelsea").resized((1, 1)),
    "flat": lambda: read(np.full((66, 81, 3), (90, 120, 200), np.uint8)),
    "black": lambda: read(np.zeros((64, 48, 3), np.uint8)),
    "two colours": lambda: halves((90, 101)),
    "noise": lambda: read(np.random.default_rng(0).integers(0, 256, (83, 96, 3), np.uint8)),
    "a ramp": lambda: read(np.uint8(np.linspace(0, 255, 120)[None, :, None] * np.ones((70, 1, 3)))),
}


@pytest.mark.parametrize("content", CONTENTS)
def test_the_graph_gives_what_the_engine_gives(compact: Stylizer, running: Session, content: str) -> None:
    styles = [paint("waves", 96), paint("mosaic", 111)]
    assert distance(compact, running, CONTENTS[content](), styles, [2, 1], 1) < 0.5


@pytest.mark.parametrize(
    ("content", "grain", "alpha"),
    [("cup", 8, 1), ("flat", 4, 1), ("a ramp", 4, 0.5), ("a strip", 255, 1.5), ("a pixel", 4, 1)],
)
def test_grain_is_that_of_the_engine(
    compact: Stylizer, running: Session, content: str, grain: float, alpha: float
) -> None:
    styles = [paint("waves", 96), paint("mosaic", 111)]
    assert distance(compact, running, CONTENTS[content](), styles, [2, 1], alpha, grain=grain) < 0.5


@pytest.mark.parametrize(
    ("style", "weights", "alpha"),
    [("flat", [1, 0], 1), ("two colours", [1, 3], 0.6), ("a pixel", [1, 1], 1.5), ("noise", [1, 1], 0)],
)
def test_styles_weights_and_alpha_are_those_of_the_engine(
    compact: Stylizer, running: Session, style: str, weights: list[float], alpha: float
) -> None:
    styles = [CONTENTS[style](), paint("strokes", 80)]
    assert distance(compact, running, CONTENTS["cup"](), styles, weights, alpha) < 0.5


@pytest.mark.parametrize("height", [1, 2, 3, 15, 17, 32])
@pytest.mark.parametrize("width", [1, 4, 16, 31])
def test_every_size_comes_back(
    tiny: tuple[Stylizer, Session], pictured: tuple[Stylizer, Session], height: int, width: int
) -> None:
    content = photo("coffee").resized((height, width))
    styles = [paint("linocut", 33), CONTENTS["cup"]().resized((width, height))]
    assert distance(*tiny, content, styles, [1, 1], 1) < 0.5
    assert distance(*pictured, content, styles, [1, 1], 0.5) < 0.5


def test_the_file_is_whole_small_and_says_what_it_is(graph: onnx.ModelProto, compact: Stylizer) -> None:
    onnx.checker.check_model(graph, full_check=True)
    assert len(graph.SerializeToString()) < 15e6
    inputs = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in graph.graph.input
    }
    assert inputs["content"] == [1, 3, "height", "width"] and inputs["weights"] == [2] and inputs["alpha"] == [1]
    about = {prop.key: prop.value for prop in graph.metadata_props}
    assert (about["model"], about["licence"], about["made by"]) == ("compact", "MIT", f"wct {__version__}")
    assert about["fingerprint"] == compact.model.fingerprint


def test_both_parts_together_are_the_whole(tiny_model: Model, tmp_path: Path) -> None:
    files = parts(tiny_model)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    style, stylize = (
        Session(tmp_path / name, providers=["CPUExecutionProvider"]) for name in ("style.onnx", "stylize.onnx")
    )
    content, styles = CONTENTS["cat"](), [paint("waves", 40), paint("strokes", 51)]
    given = {"weights": [1, 2], "alpha": [0.7], "grain": [5]}
    numbers = {name: np.array(values, np.float32) for name, values in given.items()}
    each = [style.run(None, {"style": pixels(one)}) for one in styles]
    names = [output.name for output in style.get_outputs()]
    together = {name: np.concatenate(values) for name, values in zip(names, zip(*each, strict=True), strict=True)}
    found = stylize.run(None, {"content": pixels(content), **together, **numbers})[0][0]
    needed = made(session(whole(tiny_model, 2).SerializeToString()), content, styles, [1, 2], 0.7, grain=5)
    assert np.abs(found - needed).max() < 1e-6


SPECTRA = {
    "ill-conditioned": np.logspace(0, np.log10(1.1 * RELATIVE_CUT), 40),
    "singular": np.r_[np.logspace(0, -4, 20), np.zeros(20)],
    "both sides of the cut": np.logspace(0, -12, 40) * 1.01,
    "one direction": np.r_[7.0, np.zeros(39)],
    "alike": np.full(40, 1e-3),
    "nothing": np.zeros(40),
    "below rounding": np.logspace(-14, -20, 40),
}


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_roots_by_iteration_are_those_by_eigenvalues(spectrum: str) -> None:
    basis = np.linalg.qr(np.random.default_rng(1).normal(size=(40, 40)))[0]
    cov, mean = (basis * SPECTRA[spectrum]) @ basis.T, np.full((40, 1), 0.01)
    kind = onnx.TensorProto.DOUBLE
    outputs = ["root", "inverse", "rest", "eye"]
    node = helper.make_node("Roots", ["mean", "cov"], outputs, domain="wct")
    ends = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
    starts = [
        helper.make_tensor_value_info("mean", kind, [40, 1]),
        helper.make_tensor_value_info("cov", kind, [40, 40]),
    ]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("wct", 1)]
    body = helper.make_graph([node], "roots", starts, ends)
    model = helper.make_model(body, functions=_functions(), opset_imports=opsets, ir_version=10)
    found = session(model.SerializeToString()).run(None, {"mean": mean, "cov": cov})
    needed = sqrt_pair(torch.from_numpy(cov), floor=40 * (1e-5 * 0.01) ** 2)
    for one, other in zip(found, needed, strict=False):
        scale = max(1.0, float(other.abs().max()))
        assert np.abs(one - other.numpy()).max() < 1e-8 * scale


def test_the_verb_writes_the_file_once(call: Call, tiny_folder: Path, tmp_path: Path) -> None:
    command = ("export", "onnx", "--model", tiny_folder, "-o", "tiny.onnx", "--styles", 3)
    assert "tiny.onnx: written" in call(*command).err
    names = [value.name for value in onnx.load(tmp_path / "tiny.onnx").graph.input]
    assert names == ["content", "style1", "style2", "style3", "weights", "alpha", "grain"]
    assert "exists already" in call(*command).refused()


def test_a_missing_library_is_one_line(call: Call, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("wct.onnx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "pip install 'wct[onnx]'" in call("export", "onnx", "--model", tiny_folder).refused()
