"""Measures against values known on paper."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import TINY
from torch import Tensor, nn

from wct.errors import InputError, ModelError, NumericsError, UsageError
from wct.evaluation import content_distance, psnr, reconstruction, style_distance, stylization
from wct.images import Picture
from wct.models import Model
from wct.models.encoder import Encoder
from wct.models.spec import LEVELS, parse_spec

WEIGHTS = Path(__file__).parents[2] / "shared" / "weights" / "vgg19-features.safetensors"
NAMES = [f"relu{level}_1" for level in LEVELS]


class Shifting(nn.Module):
    """Stands in for encoder and decoder: features are the picture, and decoding level k adds shifts[k]."""

    def __init__(self, shifts: dict[int, float]) -> None:
        super().__init__()
        self.shifts = shifts

    def forward(self, x: Tensor, levels: object, size: tuple[int, int] | None = None) -> object:
        if isinstance(levels, int):
            assert x.shape[-2:] == size
            return x + self.shifts[levels]
        return dict.fromkeys(LEVELS, x)


def shifting(model: Model, shifts: dict[int, float]) -> Model:
    module = Shifting(shifts)
    return Model(model.card, module, module, torch.device("cpu"))  # type: ignore[arg-type]


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return Picture(torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed)))


def save(path: Path, picture: Picture) -> Path:
    picture.save(path)
    return path


@pytest.fixture
def plain(tiny_model: Model) -> Model:
    """A tiny encoder without biases or decoders: features of a picture times c are c times its features."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = Encoder(parse_spec("tiny", TINY["encoder"], {}, "tiny").encoder)
    for name, parameter in encoder.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
    return Model(tiny_model.card, encoder, None, torch.device("cpu"))


# Reconstruction


@pytest.mark.parametrize("shift", [0.5, 0.1, 0.001])
def test_psnr_of_a_shift(shift: float) -> None:
    picture = torch.full((3, 4, 5), 0.25, dtype=torch.float64)
    assert psnr(picture + shift, picture) == pytest.approx(-20 * math.log10(shift))


def test_psnr_of_noise_of_known_variance() -> None:
    picture = torch.full((3, 200, 200), 0.5)
    noisy = picture + 0.05 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))
    assert psnr(noisy, picture) == pytest.approx(-20 * math.log10(0.05), abs=0.05)


def test_psnr_of_equal_pictures_is_a_number_that_json_knows() -> None:
    picture = torch.rand(3, 4, 5)
    assert psnr(picture, picture) == 100


def test_reconstruction_gives_the_known_error_of_each_level(tiny_model: Model, tmp_path: Path) -> None:
    grey = Picture(torch.full((3, 30, 20), 102 / 255))
    paths = [save(tmp_path / name, grey) for name in ("a.png", "b.png")]
    shifts = {1: 0.0, 2: 0.01, 3: 0.1, 4: -0.2, 5: 5.0}  # the last is clamped to white: an error of 0.6
    calls: list[tuple[int, int]] = []
    result = reconstruction(shifting(tiny_model, shifts), paths, 10, lambda done, total: calls.append((done, total)))
    wanted = dict(zip(NAMES, (100.0, 40.0, 20.0, 13.979, 4.437), strict=True))
    assert calls == [(1, 2), (2, 2)]
    assert result["pictures"] == {str(path): pytest.approx(wanted, abs=2e-3) for path in paths}
    for name in NAMES:
        summary = dict.fromkeys(("psnr_median", "psnr_min", "psnr_mean"), wanted[name])
        assert result["levels"][name] == pytest.approx(summary, abs=2e-3)
    assert (result["model"], result["n"], result["size"]) == ("tiny", 2, 10)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_reconstruction_summarises_over_pictures(tiny_model: Model, tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{seed}.png", noise(40, 52, seed)) for seed in range(3)]
    result = reconstruction(tiny_model, paths, 33)
    for name in NAMES:
        values = sorted(row[name] for row in result["pictures"].values())
        summary = result["levels"][name]
        assert len(values) == 3 and all(value > 0 for value in values)
        assert (summary["psnr_min"], summary["psnr_median"]) == (values[0], values[1])
        assert summary["psnr_mean"] == pytest.approx(sum(values) / 3, abs=1e-3)


def test_reconstruction_refuses_what_it_cannot_measure(tiny_model: Model, plain: Model, tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise(8, 8))
    with pytest.raises(InputError, match="no pictures"):
        reconstruction(tiny_model, [], 64)
    with pytest.raises(InputError, match=r"missing\.png: no such file"):
        reconstruction(tiny_model, [path, tmp_path / "missing.png"], 8)
    with pytest.raises(UsageError, match="1 or more"):
        reconstruction(tiny_model, [path], 0)
    with pytest.raises(ModelError, match="no decoders"):
        reconstruction(plain, [path], 8)
    with pytest.raises(NumericsError, match=r"a\.png, relu3_1, decode: .* not finite"):
        reconstruction(shifting(tiny_model, dict.fromkeys(LEVELS, 0.0) | {3: math.nan}), [path], 8)


# Distances


def test_a_picture_has_no_distance_from_itself(tiny_model: Model) -> None:
    for picture in (noise(48, 40), noise(1, 1), Picture(torch.full((3, 9, 7), 0.5))):
        assert style_distance(tiny_model, picture, picture) == 0
        assert content_distance(tiny_model, picture, picture) == 0


@pytest.mark.parametrize("factor", [0.5, 0.9])
def test_distances_of_a_darker_picture_are_known(plain: Model, factor: float) -> None:
    picture = noise(48, 40)
    darker = Picture(picture.rgb * factor)
    wanted = ((1 - factor**2) + (1 - factor)) / 2
    assert style_distance(plain, darker, picture) == pytest.approx(wanted, rel=1e-4)


def test_the_content_distance_does_not_see_contrast(plain: Model) -> None:
    picture = noise(48, 40)
    assert (
        content_distance(plain, Picture(picture.rgb * 0.5), picture)
        < 1e-6
        < content_distance(plain, noise(48, 40, 1), picture)
    )


def test_distances_grow_with_the_perturbation(tiny_model: Model) -> None:
    picture, other = noise(48, 40), noise(48, 40, seed=1)
    mixed = [Picture(torch.lerp(picture.rgb, other.rgb, share)) for share in (0.05, 0.1, 0.2, 0.4)]
    for distance in (style_distance, content_distance):
        values = [distance(tiny_model, one, picture) for one in mixed]
        assert values[0] > 0 and values == sorted(values)


def test_only_the_content_distance_sees_where_things_are(tiny_model: Model) -> None:
    picture = noise(192, 160)
    moved = Picture(picture.rgb.roll((64, 64), dims=(1, 2)))
    assert style_distance(tiny_model, moved, picture) < 0.3 * style_distance(tiny_model, picture.resized(12), picture)
    assert content_distance(tiny_model, moved, picture) > 0.5


def test_the_style_is_seen_at_the_size_the_stylizer_gives_it(tiny_model: Model) -> None:
    style = noise(520, 530)
    assert style_distance(tiny_model, style.resized(512), style) == 0


def test_fully_transparent_pixels_have_no_style(tiny_model: Model) -> None:
    picture = noise(64, 64)
    alpha = np.full((64, 64), 255, dtype=np.uint8)
    alpha[:, 32:] = 0
    loud = replace(picture, rgb=picture.rgb.clone(), alpha=alpha)
    loud.rgb[:, :, 32:] = 1
    hidden = style_distance(tiny_model, loud, picture)
    assert hidden < 0.5 * style_distance(tiny_model, replace(loud, alpha=None), picture)


@pytest.mark.parametrize("grey", [0.0, 0.5])
def test_rounding_is_no_style_and_no_content(tiny_model: Model, grey: float) -> None:
    flat, near = (Picture(torch.full((3, 32, 32), value)) for value in (grey, grey + 0.01))
    assert 0.49 < style_distance(tiny_model, noise(32, 32), flat) < 10
    assert style_distance(tiny_model, near, flat) < 0.1
    assert content_distance(tiny_model, near, flat) < 1e-3


def test_content_of_another_size_is_resized(tiny_model: Model) -> None:
    content = noise(48, 40)
    assert content_distance(tiny_model, content.resized((24, 20)), content) == 0


# Pairs


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for seed, name in enumerate(("content", "style", "output")):
        save(tmp_path / "in" / f"{name}.png", noise(40, 32, seed))
    path = tmp_path / "pairs.csv"
    absolute = tmp_path / "in" / "content.png"
    path.write_text(
        "\ufeffnote,output,content,style\r\n"
        f'"a, b",in/output.png,{absolute},in/style.png\r\n'
        "\r\n"
        ",in/content.png,in/content.png,in/content.png\r\n",
        encoding="utf-8",
    )
    return path


def test_pairs_are_measured_row_by_row(tiny_model: Model, pairs: Path) -> None:
    calls: list[tuple[int, int]] = []
    result = stylization(pairs, tiny_model, lambda done, total: calls.append((done, total)))
    first, second = result["rows"]
    assert calls == [(1, 2), (2, 2)]
    assert (result["model"], result["n"]) == ("tiny", 2)
    assert second == {
        **dict.fromkeys(("content", "style", "output"), "in/content.png"),
        "style_distance": 0,
        "content_distance": 0,
    }
    assert first["style_distance"] > 0 and first["content_distance"] > 0
    for name in ("style_distance", "content_distance"):
        assert result[name] == pytest.approx(dict.fromkeys(("median", "mean"), first[name] / 2), abs=1e-5)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "has no column 'content'"),
        (b"content,style\na.png,b.png\n", "has no column 'output'"),
        (b"content,style,output\n", "has no rows"),
        (b"content,style,output\na.png\n", "line 2: has no style"),
        (b"content,style,output\nin/content.png,,x.png\n", "line 2: has no style"),
        (b"content,style,output\n\nin/content.png,in/style.png,gone.png\n", "line 3: output .*gone.png: no such file"),
        (b"content,style,output\npairs.csv,in/style.png,in/output.png\n", "line 2: content .*needed a picture"),
        (b"content,style,output\n\xff\xfe,b,c\n", "is no csv file in UTF-8"),
        (b'content,style,output\n"a"b,c,d\n', "is no csv file in UTF-8"),
    ],
)
def test_bad_pairs_are_refused_in_one_line(tiny_model: Model, pairs: Path, text: bytes, message: str) -> None:
    pairs.write_bytes(text)
    with pytest.raises(InputError, match=message) as caught:
        stylization(pairs, tiny_model)
    assert str(caught.value).startswith(str(pairs)) and "\n" not in str(caught.value)


def test_missing_pairs_are_refused(tiny_model: Model, tmp_path: Path) -> None:
    for path in (tmp_path / "gone.csv", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            stylization(path, tiny_model)


def test_without_vgg19_the_message_says_where_it_goes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WCT_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"vgg19/encoder\.safetensors"):
        Model.load("vgg19")


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="needs ../shared with the weights of VGG-19")
def test_vgg19_tells_a_style_from_others() -> None:
    vgg = Model.load("vgg19", encoder=WEIGHTS)
    ramp = torch.arange(96).expand(3, 96, 96)
    stripes = Picture((ramp * math.pi / 8).sin().mul(0.5).add(0.5))
    shifted, other = Picture(stripes.rgb.roll(4, dims=2)), noise(96, 96)
    assert 3 * style_distance(vgg, shifted, stripes) < style_distance(vgg, other, stripes)
    brighter = Picture(stripes.rgb * 0.8 + 0.1)
    assert 3 * content_distance(vgg, brighter, stripes) < content_distance(vgg, other, stripes)
