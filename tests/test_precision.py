"""Networks that compute in bfloat16: the same pictures to the eye, whatever the look, and nothing where nothing is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from shell import Call, picture, run
from tiny import write_tiny

import wct
from wct import samples
from wct.errors import UsageError
from wct.evaluation import psnr
from wct.images import Picture, read_comment
from wct.memory import pixel_bytes
from wct.models.spec import LEVELS
from wct.samples import paint

LOOKS: dict[str, tuple[dict[str, Any], float]] = {
    "single": ({}, 38),
    "strong": ({"alpha": 1.4, "strength": {5: 0.5}}, 36),
    "wct": ({"transform": "wct"}, 36),
    "adain": ({"transform": "adain"}, 38),
    "rank": ({"rank": 12}, 38),
    "cascade": ({"mode": "cascade"}, 30),
    "photo": ({"mode": "photo", "levels": (3, 2, 1), "grain": 0.0}, 40),
    "content": ({"color": "content"}, 38),
    "luminance": ({"color": "luminance"}, 38),
}
"""Looks, and how many dB at least are between their pictures in the two precisions."""


@pytest.fixture(scope="module")
def exact() -> wct.Stylizer:
    return wct.Stylizer(device="cpu")


@pytest.fixture(scope="module")
def quick() -> wct.Stylizer:
    return wct.Stylizer(device="cpu", precision="bfloat16")


@pytest.fixture(scope="module")
def photo() -> Picture:
    return samples.photo("astronaut").resized(160)


@pytest.fixture(scope="module")
def painting() -> Picture:
    return paint("waves").resized(160)


@pytest.fixture(scope="module")
def style(exact: wct.Stylizer, painting: Picture) -> wct.Style:
    return exact.style(painting)


@pytest.mark.parametrize("name", LOOKS)
def test_pictures_are_the_same_to_the_eye(
    exact: wct.Stylizer, quick: wct.Stylizer, photo: Picture, painting: Picture, name: str
) -> None:
    changes, least = LOOKS[name]
    wanted, made = (one(photo, painting, **changes).rgb for one in (exact, quick))
    assert made.dtype == torch.float32
    assert least < psnr(made, wanted) < 70, "as near as that, and not computed in the same way"


def test_features_are_rounded_and_statistics_are_not(quick: wct.Stylizer, photo: Picture) -> None:
    features = quick.model.encoder(photo.rgb[None], LEVELS)
    assert {x.dtype for x in features.values()} == {torch.bfloat16}
    gaussian = wct.Gaussian.of(features[2])
    wanted = torch.cov(features[2][0].flatten(1).double(), correction=0)
    torch.testing.assert_close(gaussian.cov, wanted, rtol=1e-5, atol=1e-5 * float(wanted.max()))
    assert quick.model.decoder(features[2], 2, photo.size).dtype == torch.bfloat16


def test_otherwise_networks_compute_in_what_comes_in(exact: wct.Stylizer, photo: Picture) -> None:
    features = exact.model.encoder(photo.rgb[None].double(), (2,))[2]
    assert features.dtype == exact.model.decoder(features, 2, photo.size).dtype == torch.float64
    rounded = exact.model.decoder(features.bfloat16(), 2, photo.size)  # as autocast has them in training
    assert rounded.dtype == torch.bfloat16


@pytest.mark.parametrize("grey", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("most", "changes"),
    [
        (2, {}),
        (2, {"levels": (3, 2, 1)}),
        (3, {"mode": "photo"}),
        (4, {"transform": "wct", "passes": 2}),
        (12, {"mode": "cascade"}),  # its encoder sees what its decoders have rounded, four times
    ],
)
def test_flat_pictures_stay_flat(
    exact: wct.Stylizer, quick: wct.Stylizer, style: wct.Style, grey: float, most: float, changes: dict[str, Any]
) -> None:
    for size in ((70, 93), (9, 14)):  # the second is a single feature of relu5_1
        flat = torch.full((3, *size), grey)
        assert float(quick(flat, style, grain=0.0, **changes).rgb.std((1, 2)).max()) < most / 255
        assert float(exact(flat, style, grain=0.0, **changes).rgb.std((1, 2)).max()) < 0.2 / 255


def test_a_faint_picture_is_not_flat(
    exact: wct.Stylizer, quick: wct.Stylizer, photo: Picture, style: wct.Style
) -> None:
    faint = 0.5 + (photo.rgb - photo.rgb.mean()) / 50
    wanted, made = (float(one(faint, style, grain=0.0).rgb.std()) for one in (exact, quick))
    assert made == pytest.approx(wanted, rel=0.1)


def test_windows_do_not_show(quick: wct.Stylizer, style: wct.Style, photo: Picture) -> None:
    whole, tiled = (quick(photo, style, tile=tile).rgb for tile in (None, 64))
    assert psnr(tiled, whole) > 40


def test_styles_serve_in_both(
    exact: wct.Stylizer, quick: wct.Stylizer, photo: Picture, painting: Picture, tmp_path: Path
) -> None:
    quick.style(painting).save(tmp_path / "quick.style")
    kept = wct.Style.load(tmp_path / "quick.style")
    assert psnr(exact(photo, kept).rgb, exact(photo, painting).rgb) > 38
    with_patches = quick.style(painting, patches=True)
    swapped = quick(photo, with_patches, transform="swap").rgb
    assert psnr(swapped, exact(photo, with_patches, transform="swap").rgb) > 20, "where other patches are as near"
    assert quick.model.fingerprint == exact.model.fingerprint
    assert quick.model.identity != exact.model.identity


def test_half_the_memory_is_planned_for(quick: wct.Stylizer) -> None:
    spec = quick.model.card.spec
    assert pixel_bytes(spec, torch.bfloat16) == pytest.approx(pixel_bytes(spec) / 2, abs=1)


def test_another_precision_is_refused(tiny_folder: Path, painting: Picture) -> None:
    with pytest.raises(UsageError, match=r"precision: found 'half'; choose float32, bfloat16"):
        wct.Stylizer(tiny_folder, precision="half")
    with pytest.raises(UsageError, match="precision"):
        wct.Stylize([painting], precision="float16")


def test_pipelines_take_it(photo: Picture, painting: Picture) -> None:
    made = wct.Stylize([painting], precision="bfloat16")(photo.rgb)
    wanted = wct.Stylize([painting])(photo.rgb)
    assert 36 < psnr(made, wanted) < 70


# The command


def test_the_picture_says_how_it_was_made(call: Call, tmp_path: Path) -> None:
    picture(tmp_path / "photo.png")
    picture(tmp_path / "wave.png", seed=1)
    found = call("stylize", "photo.png", "wave.png", "-o", "made.png", "--precision", "bfloat16")
    assert found.status == 0, found.err
    assert "model compact in bfloat16," in (read_comment(Path("made.png")) or "")
    assert "found 'double'" in call("stylize", "photo.png", "wave.png", "--precision", "double").refused()


def test_a_batch_in_another_precision_is_another_batch(call: Call, tmp_path: Path) -> None:
    write_tiny(tmp_path / "tiny")
    (tmp_path / "photos").mkdir()
    picture(tmp_path / "photos/a.png")
    picture(tmp_path / "wave.png", seed=1)
    base = "batch", "photos", "wave.png", "-o", "out", "--model", "tiny"
    assert call(*base).status == 0
    assert "with other settings" in call(*base, "--precision", "bfloat16").err
    assert call(*base, "--precision", "bfloat16", "--overwrite").status == 0
    assert call(*base, "--precision", "bfloat16", "--report", "told.jsonl").status == 0
    assert json.loads((tmp_path / "told.jsonl").read_text())["status"] == "skipped"


def test_processors_that_do_not_know_it_give_the_same(
    tmp_path: Path, quick: wct.Stylizer, photo: Picture, painting: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    photo.save(tmp_path / "photo.png")
    painting.save(tmp_path / "wave.png")
    found = run("stylize", "photo.png", "wave.png", "-o", "made.png", "--precision", "bfloat16", cwd=tmp_path)
    assert found.status == 0, found.err
    wanted = quick(tmp_path / "photo.png", tmp_path / "wave.png")
    assert psnr(wct.images.read(tmp_path / "made.png").rgb, wanted.rgb) > 36
