"""Feed-forward networks: one style or many, between them, a style more, in files, and trained from the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from hypothesis import given
from hypothesis import strategies as st
from shell import Call, picture
from strategies import generator
from torch import nn

from wct.errors import ModelError, UsageError
from wct.images import Picture
from wct.methods.stylenet import NetSpec, Norm, StyleNet, one_hot
from wct.stylizer import Stylizer

SPEC = NetSpec(["a", "b", "c"], [4, 6, 8], 2)


def random_net(spec: NetSpec = SPEC) -> StyleNet:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = StyleNet(spec)
        for norm in (module for module in net.modules() if isinstance(module, Norm)):
            for parameter in (*norm.gamma, *norm.beta):
                nn.init.normal_(parameter, 1.0, 0.5)
    return net.eval().requires_grad_(False)


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return Picture(torch.rand(3, height, width, generator=generator(seed)))


@given(st.integers(1, 70), st.integers(1, 70))
def test_every_size_stays(height: int, width: int) -> None:
    made = random_net().stylize(noise(height, width), "b")
    assert made.size == (height, width)
    assert float(made.rgb.min()) >= 0 and float(made.rgb.max()) <= 1


def test_a_corner_is_the_style_and_between_them_it_changes_little_by_little() -> None:
    net, content = random_net(), noise(32, 40)
    alone = StyleNet(NetSpec(["b"], SPEC.widths, SPEC.blocks)).eval()
    alone.load_state_dict(
        {re.sub(r"\.1$", ".0", k): v for k, v in net.state_dict().items() if not re.search(r"(gamma|beta)\.[02]$", k)}
    )
    b = net.stylize(content, "b")
    assert torch.equal(b.rgb, alone.stylize(content, "b").rgb)
    assert torch.equal(b.rgb, net.stylize(content, {"b": 7.0, "a": 0.0}).rgb)
    steps = [net.stylize(content, {"b": 1 - t, "c": t}).rgb for t in (0.0, 0.05, 0.5, 1.0)]
    near, far = ((one - steps[0]).square().mean() for one in (steps[1], steps[3]))
    assert 0 < near < 0.05 * far
    assert torch.equal(steps[3], net.stylize(content, "c").rgb)


def test_normalising_gives_each_channel_the_style_s_mean_and_deviation() -> None:
    norm = Norm(2, 5)
    for i in range(2):
        nn.init.normal_(norm.gamma[i], 2.0)
        nn.init.normal_(norm.beta[i])
    x = 7 * torch.rand(2, 5, 30, 30, generator=generator(3)) - 2
    y = norm(x, one_hot([1, 0], 2))
    for one, style in ((0, 1), (1, 0)):
        deviation, mean = torch.std_mean(y[one], (1, 2), correction=0)
        assert torch.allclose(mean, norm.beta[style], atol=1e-4)
        assert torch.allclose(deviation, norm.gamma[style].abs(), atol=1e-3)


def test_a_style_more_leaves_the_others_alone() -> None:
    net, content = random_net(), noise(24, 24)
    more = net.with_style("d").eval()
    assert more.spec.styles == ["a", "b", "c", "d"]
    for name in SPEC.styles:
        assert torch.equal(more.stylize(content, name).rgb, net.stylize(content, name).rgb)
    middle = net.stylize(content, dict.fromkeys(SPEC.styles, 1.0))
    assert torch.allclose(more.stylize(content, "d").rgb, middle.rgb, atol=1e-5)
    assert sum(p.numel() for p in more.of_style(3)) == 2 * (4 + 6 + 8 + 2 * 2 * 8 + 6 + 4 + 3)
    with pytest.raises(ModelError, match="different names"):
        net.with_style("a")


def test_files_keep_a_network_and_what_is_no_network_is_refused(tmp_path: Path) -> None:
    net, content = random_net(), noise(24, 24)
    net.save(tmp_path / "net", {"title": "three"})
    again = StyleNet.load(tmp_path / "net")
    assert again.spec == SPEC
    assert (again.stylize(content, "c").rgb - net.stylize(content, "c").rgb).abs().max() < 0.01  # float16
    with pytest.raises(ModelError, match="cannot be read"):
        StyleNet.load(tmp_path / "none")
    weights = tmp_path / "net" / "net.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ModelError, match="sha256"):
        StyleNet.load(tmp_path / "net")
    card = tmp_path / "net" / "net.toml"
    for net_table in ({"styles": [], "widths": [1, 1, 1]}, {"styles": ["a"], "widths": [1, 0, 1]}, {"blocks": 1}, 3):
        card.write_text(tomli_w.dumps({"net": net_table}))
        with pytest.raises(ModelError):
            StyleNet.load(tmp_path / "net")


def test_only_learnt_styles_and_fitting_weights() -> None:
    net, content = random_net(), noise(20, 20)
    with pytest.raises(UsageError, match="not learnt"):
        net.stylize(content, "z")
    for weights in ({}, {"a": -1.0}, {"a": float("nan")}):
        with pytest.raises(UsageError):
            net.stylize(content, weights)


def test_the_shipped_network_makes_the_styles_of_the_sample_paintings() -> None:
    """Each of its results is nearer to its own painting than the content is, as compact sees them."""
    from wct.methods.perceptual import features, gram, gram_of, style_loss
    from wct.samples import paint, photo

    net, compact, content = StyleNet.load(), Stylizer("compact", device="cpu"), photo("coffee").resized(192)

    def moments(picture: Picture) -> dict[int, torch.Tensor]:
        _, found = features(compact.model.encoder, picture.rgb[None], levels=(1, 2, 3, 4))
        return {level: gram(one) for level, one in found.items()}

    for name in net.spec.styles:
        style = compact.style(paint(name).resized(256), scale=None)
        wanted = {level: gram_of(style, level).float() for level in (1, 2, 3, 4)}
        before, after = (float(style_loss(moments(one), wanted)) for one in (content, net.stylize(content, name)))
        assert after < 0.35 * before, name


class TestTrain:
    """`wct train feedforward`."""

    @pytest.fixture(autouse=True)
    def recipe(self, tmp_path: Path) -> dict[str, Any]:
        (tmp_path / "photos").mkdir()
        for seed in range(6):
            picture(tmp_path / "photos" / f"{seed}.png", (48, 48), seed=seed)
        picture(tmp_path / "own.png", (40, 40), seed=9)
        table: dict[str, Any] = {
            "title": "a test",
            "net": {"styles": ["waves", "own"], "widths": [4, 4, 6], "blocks": 1},
            "pictures": {"own": "own.png"},
            "goal": {"style_size": 48, "smooth": 0.1, "levels": [1, 2]},
            "train": {"phase": [{"steps": 6, "batch": 2, "size": 32, "rate": 1e-2, "warmup": 1}]},
        }
        (tmp_path / "recipe.toml").write_text(tomli_w.dumps(table))
        return table

    def test_from_pictures_to_a_network_and_a_style_more(self, call: Call, tmp_path: Path, tiny_folder: Path) -> None:
        common = ("train", "feedforward", "recipe.toml", "--data", "photos", "--model", tiny_folder, "--device", "cpu")
        first = call(*common, "--run", "run", "--export", "net")
        assert first.status == 0 and first.err.endswith("net: written\n"), first
        net = StyleNet.load(tmp_path / "net")
        assert net.spec.styles == ["waves", "own"]
        assert "holds a network already" in call(*common, "--run", "more", "--export", "net").refused()
        assert "both are needed" in call(*common, "--run", "more", "--start", "net").refused()
        picture(tmp_path / "new.png", (40, 40), seed=10)
        added = call(*common, "--run", "more", "--start", "net", "--add", "new.png", "--export", "net2")
        assert added.status == 0, added
        more = StyleNet.load(tmp_path / "net2")
        assert more.spec.styles == ["waves", "own", "new"]
        content = noise(32, 32)
        for name in net.spec.styles:
            assert torch.equal(more.stylize(content, name).rgb, net.stylize(content, name).rgb)
        start = net.with_style("new").eval()
        assert not torch.equal(more.stylize(content, "new").rgb, start.stylize(content, "new").rgb)

    def test_what_a_recipe_may_not_say(self, recipe: dict[str, Any], call: Call, tmp_path: Path) -> None:
        for change in (
            {"net": {"styles": ["nothing"], "widths": [4, 4, 4]}},
            {"goal": {"content": "9_9"}},
            {"goal": 1},
        ):
            (tmp_path / "recipe.toml").write_text(tomli_w.dumps(recipe | change))
            found = call("train", "feedforward", "recipe.toml", "--data", "photos", "--run", "run", "--device", "cpu")
            assert found.refused()
