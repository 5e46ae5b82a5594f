"""`wct bench`: what it counts, what it says, and the original algorithm that it compares with."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from shell import Call, run
from tiny import TINY, write_tiny
from torch import nn

from wct.bench import reference
from wct.bench.clock import Clock
from wct.bench.memory import Task, peak
from wct.bench.reference import Reference, build_encoder, layers, whiten_and_color
from wct.bench.report import Subject, likeness
from wct.bench.stages import OTHER, STAGES, convolution_flops, timed
from wct.bench.work import WAYS, noise_picture
from wct.errors import WctError
from wct.gaussian import Gaussian
from wct.maps import AffineMap
from wct.models import Model
from wct.models.encoder import Encoder
from wct.models.spec import EncoderSpec
from wct.models.vgg import VGG19
from wct.stylizer import Stylizer

CPU = Clock(torch.device("cpu"))


def tiny_flops(size: int) -> int:
    """Operations of all convolutions when the tiny model encodes a square picture and decodes it from relu5_1."""
    total, width, ranks = 0, 3, TINY["encoder"]["ranks"]
    for block, widths in enumerate(TINY["encoder"]["widths"]):
        pixels = (size // 2**block) ** 2
        for out in widths:
            total, width = total + 18 * width * out * pixels, out
    total += 2 * width * ranks[4] * pixels  # the head of relu5_1
    for k in range(5, 0, -1):
        stage, width = TINY["stages"][str(k)], ranks[k - 1]
        side = size // 2 ** max(0, k - 2)
        for out in stage["low"]:
            total, width = total + 18 * width * out * (size // 2 ** (k - 1)) ** 2, out
        for i, out in enumerate((*stage["high"], ranks[k - 2] if k > 1 else 3)):
            # What is doubled is convolved with 4 taps for each pixel, and so is its border of two pixels.
            products = 4 * (side + 4) ** 2 if i == 0 and k > 1 else 9 * side**2
            total, width = total + 2 * products * width * out, out
    return total


# The command


def test_the_report_holds_together(tmp_path: Path, tiny_folder: Path) -> None:
    options = ["--models", tiny_folder, "--sizes", 32, "--repeats", 1, "--threads", 1, "--reference", "--json"]
    found = run("bench", *options, cwd=tmp_path)
    assert (found.status, found.err) == (0, "")
    report, name = json.loads(found.out), str(tiny_folder)
    assert (report["conditions"]["threads"], report["conditions"]["n"], report["left_out"]) == (1, 1, {})
    runs = {(row["model"], row["style"]): row for row in report["runs"]}
    assert list(runs) == [("reference", "picture"), *((name, way) for way in WAYS)]
    for row in runs.values():
        parts = {stage: times["median"] for stage, times in row["stages"].items()}
        assert list(parts) == [*STAGES, OTHER] and min(parts.values()) >= 0
        total = row["total_s"]["median"]
        assert sum(parts.values()) == pytest.approx(total)
        assert parts[OTHER] < 0.6 * total, "most of the time has a name"
        assert row["compute_s"]["median"] == pytest.approx(total - parts["image_io"])
        limit = report["ceilings"]["best"]["convolution"][row["dtype"]]
        assert row["ceiling_share"] == pytest.approx(row["gflop_per_s"] / limit, abs=1e-3)
        assert all(parts[stage] > 0 for stage in STAGES if row["style"] != "plan")
    plan = runs[name, "plan"]["stages"]
    assert (plan["statistics"]["median"], plan["solve"]["median"]) == (0, 0)
    assert runs["reference", "picture"]["times_faster"] == 1
    counts = {way: runs[name, way]["convolution_gflop"] for way in WAYS}
    assert counts["file"] == counts["held"] == counts["plan"] == round(tiny_flops(32) / 1e9, 4) < counts["picture"]
    memory = {row["model"]: row for row in report["memory"]}
    assert memory[name]["import_torch_mb"] > 10 and 0 < memory[name]["share_of_reference"] < 1
    assert [(row["model"], row["size"]) for row in report["likeness"]] == [(name, 32)]


def test_another_precision_has_its_own_ceiling(call: Call, tiny_folder: Path) -> None:
    options = ["--models", tiny_folder, "--sizes", 16, "--repeats", 1, "--precision", "bfloat16", "--json"]
    found = call("bench", *options)
    assert (found.status, found.err) == (0, "")
    report = json.loads(found.out)
    assert {row["dtype"] for row in report["runs"]} == {"bfloat16"}
    limit = report["ceilings"]["best"]["convolution"]["bfloat16"]
    for row in report["runs"]:
        assert row["ceiling_share"] == pytest.approx(row["gflop_per_s"] / limit, abs=1e-3)


def test_tables_and_what_is_left_out(call: Call) -> None:
    found = call("bench", "--sizes", 16, "--repeats", 1)
    assert found.status == 0
    (line,) = found.err.splitlines()
    assert line.startswith("vgg19 is left out: ")
    table = found.out.decode()
    assert all(
        word in table for word in ("compact", "convolution", "float32", "statistics", "solve", "above mb", *WAYS)
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sizes", "small"], "'small'"),
        (["--sizes", "0"], "pixels from 16"),
        (["--sizes", "100", "--reference"], "multiples of 16"),
        (["--repeats", "0"], "repeats"),
        (["--threads", "0"], "threads"),
        (["--models", "compcat"], "did you mean 'compact'"),
        (["--models", "vgg19"], "no encoder weights"),
        (["--vgg", "gone.safetensors"], "gone.safetensors"),
        (["--models", "bare"], "no decoders"),
    ],
)
def test_errors_are_one_line(call: Call, tmp_path: Path, options: list[str], said: str) -> None:
    write_tiny(tmp_path / "bare", stages={})
    assert said in call("bench", *options).refused()


def test_a_process_that_fails_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WctError, match="gone") as failure:
        peak(Task(str(tmp_path / "gone"), None, "cpu", "float32", 1, str(tmp_path)))
    assert "\n" not in str(failure.value)


# What is counted


def test_operations_of_convolutions_are_those_counted_by_hand() -> None:
    stack = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 5, 3, stride=2), nn.Flatten(2), nn.Linear(12, 9))
    picture = torch.rand(2, 3, 10, 11)
    by_hand = 2 * (2 * 27 * 8 * 8 * 9 + 2 * 72 * 5 * 3 * 4)
    with torch.inference_mode():
        assert convolution_flops(lambda: stack(picture)) == by_hand
        assert convolution_flops(lambda: AffineMap.identity(32)(torch.rand(32, 8, 8))) == 0


def test_a_stage_that_calls_another_stops_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(Clock, "mark", lambda _: float(next(clock)))
    features = torch.rand(1, 3, 4, 4)
    found = timed(lambda: reference.whiten_and_color(features, features), CPU)
    # The map begins at 1; four inner stages take 1 each, and 1 passes between any two moments.
    assert found == dict.fromkeys(STAGES, 0.0) | {"map": 5.0, "statistics": 2.0, "solve": 2.0, OTHER: 2.0}


def test_the_engine_is_as_before_when_a_run_fails(tiny_model: Model) -> None:
    before = [vars(owner)[name] for places in STAGES.values() for owner, name in places]
    with pytest.raises(WctError):
        timed(lambda: Stylizer(tiny_model)("gone.png", "gone.png"), CPU)
    assert [vars(owner)[name] for places in STAGES.values() for owner, name in places] == before
    assert Gaussian.of(torch.rand(2, 3, 3)).n == 9


# The original algorithm


def test_the_engine_gives_what_the_plain_algorithm_gives() -> None:
    assert likeness(Subject("compact", Model.load("compact")), 256)["psnr_db"] > 40


def test_the_reference_has_the_layers_of_vgg19() -> None:
    names = [layer[0] for layer in layers(5, VGG19) if layer is not None]
    encoder = Encoder(VGG19)
    assert [f"{name}.{part}" for name in names for part in ("weight", "bias")] == list(encoder.state_dict())
    picture = noise_picture(64, 0)[None]
    for level in (1, 3):
        found = build_encoder(level, VGG19, encoder.state_dict())(picture)
        torch.testing.assert_close(found, encoder(picture, [level])[level], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_the_reference_gives_features_the_covariance_of_the_style(level: int) -> None:
    torch.manual_seed(3)
    encoder = build_encoder(level, NARROW, None)
    with torch.inference_mode():
        content, style = (encoder(torch.rand(1, 3, 64, 64)) for _ in range(2))
    found = whiten_and_color(content, style)[0].flatten(1).double()
    wanted = style[0].flatten(1).double()
    scale = float(wanted.cov().diagonal().max())
    torch.testing.assert_close(found.mean(1), wanted.mean(1), rtol=1e-5, atol=1e-5 * math.sqrt(scale))
    torch.testing.assert_close(found.cov(), wanted.cov(), rtol=1e-4, atol=1e-4 * scale)


NARROW = EncoderSpec([[6] * 2, [8] * 2, [8] * 4, [8] * 4, [8]], [])


def test_the_reference_stylises_at_the_size_of_the_content() -> None:
    torch.manual_seed(3)
    original = Reference(spec=NARROW)
    content, style = noise_picture(64, 0)[None, ..., :48], noise_picture(64, 1)[None, :, :32]
    output = original(content, style)
    assert output.shape == content.shape and bool(torch.isfinite(output).all())
    assert float(output.std()) > 0.01
    assert not torch.equal(output, original(content, content))


@pytest.mark.parametrize("name", ["tiny_model", "pictured_model"])
def test_the_reference_with_a_models_weights_encodes_and_decodes_as_it_does(
    request: pytest.FixtureRequest, name: str
) -> None:
    model: Model = request.getfixturevalue(name)
    plain, picture = Reference.of(model), noise_picture(32, 0)[None]
    with torch.inference_mode():
        for level, features in model.encoder(picture, range(1, 6)).items():
            torch.testing.assert_close(plain.encode(picture, level), features, rtol=1e-4, atol=1e-5)
            wanted = model.decoder(features, level, (32, 32)).clamp(0, 1)
            torch.testing.assert_close(plain.decode(features, level), wanted, rtol=1e-4, atol=1e-5)
