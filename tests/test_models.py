"""Models as data: folders that load, and folders that must be refused with one line."""

from __future__ import annotations

import resource
from copy import deepcopy
from itertools import pairwise, product
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny import TINY, write_tiny
from torch.nn import functional as F

from wct.errors import ModelError
from wct.maps import AffineMap
from wct.models import Model, find, names
from wct.models.decoder import doubled
from wct.models.encoder import Encoder, convolve, halved, padded, pooled
from wct.models.export import write_card
from wct.models.padding import _DEPTHS, _Around
from wct.models.spec import LEVELS, EncoderSpec, parse_spec, read_toml
from wct.models.vgg import MEANS_BGR, VGG19, from_torchvision_names
from wct.stylizer import Stylizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "tiny")


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        Model.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


@given(h=st.integers(1, 40), w=st.integers(1, 40))
def test_every_size_comes_back_exactly(tiny_model: Model, pictured_model: Model, h: int, w: int) -> None:
    picture = torch.rand(1, 3, h, w)
    for model in (tiny_model, pictured_model):
        features = model.encoder(picture, LEVELS)
        for level, x in features.items():
            assert x.shape[-2:] == halved((h, w), level)
            assert model.decoder(x, level, (h, w)).shape == picture.shape


def test_a_stage_that_makes_a_picture_gives_the_features_of_it(pictured_model: Model) -> None:
    x = pictured_model.encoder(torch.rand(1, 3, 20, 31), (2,))[2]
    stage = pictured_model.decoder.stages[1]
    assert stage.again is not None
    stage.again.load_state_dict(pictured_model.encoder.get_submodule("conv1_1").state_dict())
    picture = stage.made(x, (20, 31))
    assert picture.shape == (1, 3, 20, 31)
    torch.testing.assert_close(stage(x, (20, 31)), pictured_model.encoder(picture, (1,))[1])


def test_every_refinement_looks_at_what_the_one_before_made(pictured_model: Model) -> None:
    x = pictured_model.encoder(torch.rand(1, 3, 20, 31), (1,))[1]
    stage = pictured_model.decoder.stages[0]
    made = [stage.refined(stage.made(x, (20, 31)), x, times) for times in range(3)]
    torch.testing.assert_close(made[2], stage(x, (20, 31)))
    assert not any(torch.allclose(a, b, atol=1e-3) for a, b in pairwise(made))
    assert stage.reach == (0, 5, 1)
    cut = stage(x[..., :12], (20, 12))
    torch.testing.assert_close(cut[..., :7], made[2][..., :7])
    assert not torch.allclose(cut[..., 7], made[2][..., 7], atol=1e-6)


@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("level", LEVELS)
def test_a_stage_takes_a_map_into_its_first_convolution(
    tiny_model: Model, pictured_model: Model, level: int, wrap: bool
) -> None:
    for model in (tiny_model, pictured_model):
        channels, size = model.encoder.spec.channels(level), (12, 20) if level == 1 else (24, 40)
        x, matrix = torch.rand(1, channels, 12, 20), torch.randn(channels, channels, dtype=torch.float64)
        change = AffineMap(matrix, torch.rand(channels).double(), torch.randn(channels).double())
        stage = model.decoder.stages[level - 1]
        with torch.no_grad():
            wanted = stage(change(x), size, wrap)
            found = stage(x, size, wrap, (change.matrix, change.offset))
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))
        assert not torch.allclose(found, stage(x, size, wrap), atol=1e-2 * float(wanted.abs().max()))


@given(h=st.integers(1, 9), w=st.integers(1, 9), odd=st.tuples(st.booleans(), st.booleans()), wrap=st.booleans())
def test_doubling_within_a_convolution_equals_doubling_before(
    h: int, w: int, odd: tuple[bool, bool], wrap: bool
) -> None:
    size = (2 * h, 2 * w) if wrap else (2 * h - odd[0], 2 * w - odd[1])
    conv, x = torch.nn.Conv2d(3, 5, 3).requires_grad_(False), torch.randn(2, 3, h, w)
    repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., : size[0], : size[1]]
    torch.testing.assert_close(doubled(conv, x, size, wrap), convolve(conv, repeated, wrap), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("channels", [3, 4, 5])
@pytest.mark.parametrize("size", [(2**15, 2), (255, 258), (2, 2**16), (257, 256), (3, 2**15)])
def test_convolutions_of_large_pictures_mirror_as_those_of_small_ones(size: tuple[int, int], channels: int) -> None:
    conv, x = torch.nn.Conv2d(3, channels, 3).requires_grad_(False), torch.randn(2, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(convolve(conv, x), conv(padded(x)), rtol=1e-4, atol=1e-5)
        for height, width in product(*([2 * side, 2 * side - 1] for side in size)):
            repeated = x.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :height, :width]
            there = doubled(conv, x, (height, width))
            torch.testing.assert_close(there, conv(padded(repeated)), rtol=1e-4, atol=1e-5)
    assert convolve(conv, x.requires_grad_()).grad_fn is not None


@given(h=st.integers(1, 9), w=st.integers(1, 9), order=st.sampled_from([torch.contiguous_format, torch.channels_last]))
def test_pooling_gives_what_torch_gives(h: int, w: int, order: torch.memory_format) -> None:
    x = torch.randn(2, 3, h, w, generator=torch.Generator().manual_seed(h * w))
    x[0, 0, -1, 0], x[0, 1, 0, -1] = torch.nan, torch.inf
    x = x.contiguous(memory_format=order)
    with torch.no_grad():
        assert torch.equal(pooled(x).nan_to_num(7), F.max_pool2d(x, 2, ceil_mode=True).nan_to_num(7))


def test_one_pass_gives_what_single_levels_give(tiny_model: Model) -> None:
    picture = torch.rand(2, 3, 37, 22)
    together = tiny_model.encoder(picture, LEVELS)
    for level in LEVELS:
        torch.testing.assert_close(tiny_model.encoder(picture, (level,))[level], together[level], rtol=0, atol=0)


def test_shipped_models_are_known_by_name() -> None:
    assert "vgg19" in names()
    assert find("vgg19").spec.encoder == VGG19
    with pytest.raises(ModelError, match=r"did you mean 'vgg19'\?"):
        find("vgg91")


def test_a_changed_weight_is_refused(folder: Path) -> None:
    path = folder / "encoder.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    assert "sha256" in refused(folder)


def reweigh(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Replace the encoder's weights and take the promise of their sha256 out of the card."""
    save_file(tensors, folder / "encoder.safetensors")
    table = read_toml(folder / "model.toml")
    table.pop("sha256", None)
    write_card(folder, table)


def test_missing_left_over_misshapen_and_non_finite_weights_are_refused(folder: Path) -> None:
    good = load_file(folder / "encoder.safetensors")
    name = "conv3_2.weight"
    reweigh(folder, {k: v for k, v in good.items() if k != name})
    assert f"{name!r} is missing" in refused(folder)
    reweigh(folder, good | {"conv9_9.weight": torch.zeros(1)})
    assert "conv9_9.weight" in refused(folder)
    reweigh(folder, good | {name: good[name][:1].clone()})
    assert f"{name} has shape" in refused(folder)
    reweigh(folder, good | {name: good[name] * torch.inf})
    assert name in refused(folder)
    reweigh(folder, good)
    Model.load(folder)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\xff" * 64])
def test_files_that_are_no_safetensors_are_refused(folder: Path, content: bytes) -> None:
    reweigh(folder, {})
    (folder / "encoder.safetensors").write_bytes(content)
    assert "safetensors" in refused(folder)


def test_missing_weights_say_where_they_belong(folder: Path) -> None:
    (folder / "encoder.safetensors").unlink()
    assert "encoder.safetensors" in refused(folder)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"widths": [[4]]}, "widths"),
        ({"widths": [[4, 4], [6, 6], [8, 8, 8, 8], [8, 8, 8, -8], [8]]}, "-8"),
        ({"ranks": [1, 2]}, "ranks"),
        ({"colour": 1}, "colour"),
        ({"ranks": "all"}, "all"),
    ],
)
def test_cards_with_a_wrong_encoder_are_refused(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(ModelError, match=word):
        parse_spec("x", TINY["encoder"] | wrong, TINY["stages"], "model.toml")


def test_cards_with_wrong_stages_are_refused(folder: Path) -> None:
    some = {k: v for k, v in TINY["stages"].items() if k != "3"}
    with pytest.raises(ModelError, match="stages"):
        parse_spec("x", TINY["encoder"], some, "model.toml")
    with pytest.raises(ModelError, match="stage 1"):
        parse_spec("x", TINY["encoder"], TINY["stages"] | {"1": {"low": [4], "high": []}}, "model.toml")
    headless, plain = TINY["encoder"] | {"ranks": []}, {"low": [], "high": []}
    for encoder, level, more, words in (
        (headless, "3", {"refine": [4]}, "only stage 1 has them"),
        (headless, "1", {"refine": [0]}, "from 1 to 4096"),
        (headless, "1", {"refine": [4]}, "picture = true in stage 2"),
        (headless, "1", {"picture": True}, "needs stage 2"),
        (headless, "2", {"picture": 1}, "needs true or false"),
        (TINY["encoder"], "2", {"picture": True}, "an encoder without ranks"),
    ):
        with pytest.raises(ModelError, match=words):
            parse_spec("x", encoder, TINY["stages"] | {level: plain | more}, "model.toml")
    (folder / "model.toml").write_text("name = [", encoding="utf-8")
    assert "not valid toml" in refused(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stages": True}, "found True, needs a table"),
        ({"encoder": []}, "found [], needs a table"),
        ({"sha256": 3}, "found 3, needs a table"),
        ({"sha256": {"encoder": "two\nlines"}}, "needs two\\nlines…"),
        ({"encoder": TINY["encoder"] | {"ranks": [True] * 5}}, "[True, True, True, True, True]"),
        ({"encoder": {"widths": [[4096] * n for n in (2, 2, 4, 4, 1)], "ranks": []}}, "needs (4096,)"),
    ],
)
def test_hostile_cards_are_one_line_and_take_no_memory(folder: Path, change: dict[str, object], words: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    table = read_toml(folder / "model.toml")
    del table["sha256"]
    write_card(folder, table | change)
    assert words in refused(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**19  # KB; all those weights are 5 GB


def test_control_characters_in_weights_and_names_are_escaped(folder: Path) -> None:
    save_file({"two\nlines": torch.full((1,), torch.nan)}, folder / "odd\n.safetensors")
    with pytest.raises(ModelError) as caught:
        Model.load(folder, encoder=folder / "odd\n.safetensors")
    assert str(caught.value).isprintable() and "two\\nlines holds" in str(caught.value)


def test_a_model_without_decoders_says_so(tmp_path: Path) -> None:
    model = Model.load(write_tiny(tmp_path / "blind", stages={}))
    with pytest.raises(ModelError, match="no decoders"):
        model.decoder  # noqa: B018
    with pytest.raises(ModelError, match="no decoders"):
        Stylizer(model)(torch.rand(3, 20, 20), torch.rand(3, 20, 20))


def test_the_original_input_convention_is_folded_in_exactly() -> None:
    """conv1_1 on RGB in 0..1 equals the published conv1_1 on BGR, 0..255, minus the means."""
    torch.manual_seed(0)
    ours = dict(Encoder(VGG19).layers())
    published, index = {}, 0
    for name, conv in ours.items():
        if name.endswith("_1") and name != "1_1":
            index += 1
        published |= {f"features.{index}.weight": conv.weight.detach(), f"features.{index}.bias": conv.bias.detach()}
        index += 2
    converted = from_torchvision_names(published, "test")
    rgb = torch.rand(1, 3, 9, 9, dtype=torch.float64)
    bgr = rgb.flip(1) * 255 - torch.tensor(MEANS_BGR, dtype=torch.float64)[:, None, None]
    needed = torch.conv2d(bgr, published["features.0.weight"].double(), published["features.0.bias"].double())
    found = torch.conv2d(rgb, converted["conv1_1.weight"].double(), converted["conv1_1.bias"].double())
    torch.testing.assert_close(found, needed, rtol=0, atol=1e-4)
    torch.testing.assert_close(converted["conv4_4.weight"], ours["4_4"].weight, rtol=0, atol=0)
    with pytest.raises(ModelError, match=r"features\.28\.bias"):
        from_torchvision_names({k: v for k, v in published.items() if k != "features.28.bias"}, "test")


def test_ranks_set_the_number_of_channels() -> None:
    spec = EncoderSpec([[4, 4], [6, 6], [8, 8, 8, 8], [8, 8, 8, 8], [8]], [3, 4, 5, 6, 7])
    assert [spec.channels(level) for level in LEVELS] == [3, 4, 5, 6, 7]
    assert [VGG19.channels(level) for level in LEVELS] == [64, 128, 256, 512, 512]


@given(st.integers(1, 6), st.integers(1, 6), st.sampled_from(sorted(_DEPTHS)), st.booleans())
def test_what_cuda_puts_around_features_is_what_torch_does(height: int, width: int, mode: str, last: bool) -> None:
    sides = (max(height, 2), max(width, 2)) if mode == "reflect" else (height, width)
    order = torch.channels_last if last else torch.contiguous_format
    x = torch.rand(2, 3, *sides, dtype=torch.float64).contiguous(memory_format=order).requires_grad_(True)
    wanted = F.pad(x, (1, 1, 1, 1), mode=mode)
    made = _Around.apply(x, _DEPTHS[mode])
    torch.testing.assert_close(made, wanted, rtol=0, atol=0)
    assert made.is_contiguous(memory_format=torch.channels_last)
    above = torch.rand_like(wanted)
    gradients = [torch.autograd.grad(one, x, above)[0] for one in (made, wanted)]
    torch.testing.assert_close(*gradients)


def test_decoders_are_kept_in_half_precision_and_compute_in_full() -> None:
    model = Model.load("compact")
    assert {p.dtype for p in model.decoder.parameters()} == {torch.float16}
    assert {p.dtype for p in model.encoder.parameters()} == {torch.float32}
    full = deepcopy(model.decoder).float()
    for size in ((40, 56), (260, 260)):  # below and above the size from which on borders are computed apart
        for level, features in model.encoder(torch.rand(1, 3, *size), (1, 3)).items():
            with torch.inference_mode():
                made = model.decoder(features, level, size)
                assert made.dtype == torch.float32 and torch.equal(made, full(features, level, size))
