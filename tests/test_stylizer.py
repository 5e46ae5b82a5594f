"""The loop: sizes, strength, blending, transparency, modes, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import wct
from wct.errors import ModelError, NumericsError, UsageError
from wct.images import Picture
from wct.look import MODES, Look
from wct.models import Model
from wct.models.spec import LEVELS
from wct.stylizer import Progress, Stylizer


def noise(h: int, w: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(3, h, w, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def stylizer(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


@given(h=st.integers(1, 33), w=st.integers(1, 33), mode=st.sampled_from(MODES), top=st.sampled_from(LEVELS))
@settings(max_examples=40)
def test_any_size_in_is_the_size_out(stylizer: Stylizer, h: int, w: int, mode: str, top: int) -> None:
    result = stylizer(noise(h, w), noise(9, 14, 1), mode=mode, levels=(top, 1))
    assert result.size == (h, w)
    assert bool(torch.isfinite(result.rgb).all())
    assert 0 <= float(result.rgb.min()) <= float(result.rgb.max()) <= 1


@pytest.mark.parametrize("mode", MODES)
def test_flat_pictures_pass(stylizer: Stylizer, mode: str) -> None:
    flat, black = torch.full((3, 20, 20), 0.3), torch.zeros(3, 20, 20)
    for content, style in ((flat, noise(20, 20)), (noise(20, 20), flat), (flat, black), (black, black)):
        assert bool(torch.isfinite(stylizer(content, style, mode=mode).rgb).all())


def test_strength_zero_is_the_autoencoder_and_strength_one_is_not(stylizer: Stylizer) -> None:
    content, model = noise(24, 31), stylizer.model
    again = model.decoder(model.encoder(content[None], (3,))[3], 3, (24, 31))[0].clamp(0, 1)
    untouched = stylizer(content, noise(16, 16, 1), alpha=0, levels=(3,)).rgb
    torch.testing.assert_close(untouched, again, rtol=0, atol=1e-5)
    assert not torch.allclose(stylizer(content, noise(16, 16, 1), levels=(3,)).rgb, again, atol=1e-3)


def test_a_level_of_strength_zero_equals_leaving_it_out_in_single_mode(stylizer: Stylizer) -> None:
    content, style = noise(24, 31), stylizer.style(noise(20, 20, 1))
    without = stylizer(content, style, levels=(5, 3, 1)).rgb
    zeroed = stylizer(content, style, strength={4: 0.0, 2: 0.0}).rgb
    torch.testing.assert_close(zeroed, without, rtol=0, atol=1e-5)


def test_the_order_of_levels_does_not_matter(stylizer: Stylizer) -> None:
    style = stylizer.style(noise(20, 20, 1))
    one, other = (stylizer(noise(16, 16), style, levels=levels).rgb for levels in ((5, 2, 1), (1, 5, 2)))
    assert torch.equal(one, other)


def test_the_modes_agree_on_one_level_and_differ_on_several(stylizer: Stylizer) -> None:
    style = stylizer.style(noise(20, 20, 1))
    modes = "single", "cascade"
    alone = [stylizer(noise(24, 24), style, mode=mode, levels=(3,)).rgb for mode in modes]
    torch.testing.assert_close(*alone, rtol=0, atol=1e-6)
    several = [stylizer(noise(24, 24), style, mode=mode, levels=(3, 2, 1)).rgb for mode in modes]
    assert not torch.allclose(*several, atol=1e-3)


def test_same_input_same_bytes(stylizer: Stylizer) -> None:
    one, other = (stylizer(noise(24, 24), noise(20, 20, 1)).rgb for _ in range(2))
    assert torch.equal(one, other)


def test_blending_ignores_order_and_scale_and_weight_zero(stylizer: Stylizer) -> None:
    a, b, c = (stylizer.style(noise(20, 20, seed)) for seed in (1, 2, 3))
    content = noise(24, 24)
    needed = stylizer(content, stylizer.style(a, b, weights=[2, 1])).rgb
    for style in (
        stylizer.style(b, a, weights=[10, 20]),
        stylizer.style(a, b, c, weights=[2, 1, 0]),
        stylizer.style(stylizer.style(a, a), b, weights=[2, 1]),
    ):
        torch.testing.assert_close(stylizer(content, style).rgb, needed, rtol=0, atol=1e-4)
    assert not torch.allclose(stylizer(content, a).rgb, needed, atol=1e-3)
    counted = stylizer.style(a, b, weights=np.array([2, 1], np.float32))  # type: ignore[arg-type]
    torch.testing.assert_close(stylizer(content, counted).rgb, needed, rtol=0, atol=1e-4)
    for weights in ([1, -1], [0, 0], [1, float("nan")], [1]):
        with pytest.raises(UsageError):
            stylizer.style(a, b, weights=weights)


def test_what_is_no_style_or_preview_is_refused(stylizer: Stylizer) -> None:
    with pytest.raises(UsageError, match="list with str in it, needs Regions"):
        stylizer(noise(16, 16), ["wave.png"])  # type: ignore[list-item]
    for preview in (0, -5):
        with pytest.raises(UsageError, match=f"preview is {preview}"):
            stylizer(noise(16, 16), noise(20, 20, 1), preview=preview)


def test_a_style_is_encoded_in_one_pass(stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[tuple[int, ...]] = []
    forward = stylizer.model.encoder.forward

    def counted(x: torch.Tensor, levels: tuple[int, ...], *rest: bool) -> dict[int, torch.Tensor]:
        passes.append(tuple(levels))
        return forward(x, levels, *rest)

    monkeypatch.setattr(stylizer.model.encoder, "forward", counted)
    style = stylizer.style(noise(20, 20))
    assert passes == [LEVELS]
    stylizer(noise(20, 20), style)
    assert passes == [LEVELS, (5,)]


def transparent(rgb: torch.Tensor, hidden: float) -> Picture:
    """The left half of the picture is fully transparent and hides one colour."""
    alpha = np.full(rgb.shape[1:], 255, np.uint8)
    alpha[:, : rgb.shape[2] // 2] = 0
    alpha[-1, -1] = 7
    return Picture(torch.where(torch.from_numpy(alpha > 0), rgb, hidden), alpha)


def test_alpha_is_kept_and_hidden_colours_do_not_count(stylizer: Stylizer) -> None:
    style = stylizer.style(noise(20, 20, 1))
    results = [stylizer(transparent(noise(32, 128), hidden), style, levels=(2, 1)) for hidden in (0.0, 1.0)]
    for result in results:
        assert result.alpha is not None
        np.testing.assert_array_equal(result.alpha, transparent(noise(32, 128), 0).alpha)
    torch.testing.assert_close(results[0].rgb[..., 64:], results[1].rgb[..., 64:], rtol=0, atol=1e-5)
    pictures = (transparent(noise(32, 128), hidden) for hidden in (0.0, 1.0))
    visible, whole = (stylizer.style(picture).parts[0].gaussians[1] for picture in pictures)
    torch.testing.assert_close(visible.mean, whole.mean)
    assert visible.n == 32 * 64 + 0


def test_size_resizes_the_content_first(stylizer: Stylizer) -> None:
    assert stylizer(noise(40, 60), noise(20, 20, 1), size=20).size == (20, 30)


def test_progress_counts_up_to_its_total(stylizer: Stylizer) -> None:
    for look in ({}, {"mode": "cascade"}, {"levels": (4, 2)}, {"levels": (4, 2), "mode": "cascade"}):
        seen: list[Progress] = []
        settings: dict[str, Any] = dict(look)
        stylizer(noise(20, 20), noise(20, 20, 1), progress=seen.append, **settings)
        assert [step.done for step in seen] == list(range(1, len(seen) + 1))
        assert {step.total for step in seen} == {len(seen)}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"alpha": -1}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"levels": ()}, "levels"),
        ({"levels": (6,)}, "6"),
        ({"strength": {3: -1}}, "level 3"),
        ({"mode": "both"}, "single, cascade or photo"),
        ({"transform": "wtc"}, "did you mean 'wct'"),
    ],
)
def test_settings_out_of_range_are_refused(stylizer: Stylizer, wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        stylizer(noise(8, 8), noise(8, 8), **wrong)


def test_a_style_keeps_what_it_has_solved(stylizer: Stylizer) -> None:
    style = stylizer.style(noise(40, 40, 1))
    again = stylizer.style(style).parts[0].gaussians
    assert all(again[level] is one for level, one in style.parts[0].gaussians.items())


def test_a_style_of_another_model_is_refused(stylizer: Stylizer) -> None:
    style = stylizer.style(noise(8, 8))
    other = replace(style, parts=(replace(style.parts[0], name="wave.jpg"),), fingerprint="0" * 64)
    with pytest.raises(ModelError, match=r"wave\.jpg: made by another model"):
        stylizer(noise(8, 8), other)
    with pytest.raises(ModelError, match="different models"):
        stylizer.style(style, other)


def test_no_style_is_refused(stylizer: Stylizer) -> None:
    with pytest.raises(UsageError, match="no style given"):
        stylizer.style()


def test_non_finite_features_name_level_and_stage(stylizer: Stylizer) -> None:
    style = stylizer.style(noise(20, 20))
    conv = stylizer.model.decoder.stages[2].high[-1]
    kept = conv.bias.clone()
    try:
        conv.bias.fill_(float("inf"))
        with pytest.raises(NumericsError, match="relu3_1, decode"):
            stylizer(noise(20, 20), style)
    finally:
        conv.bias.copy_(kept)


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(UsageError, match="abacus"):
        Stylizer("vgg19", device="abacus")


def test_look_is_what_the_call_takes() -> None:
    assert Look(alpha=0.5, strength={4: 0.5}).strength_at(4) == 0.25
    assert Look(alpha=0.5).strength_at(5) == 0.5


def test_importing_the_package_is_cheap() -> None:
    import subprocess
    import sys

    code = "import sys, wct; assert 'torch' not in sys.modules and 'PIL' not in sys.modules; print(wct.__version__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == wct.__version__
    code = "import sys, wct; wct.Stylizer(); assert 'sympy' not in sys.modules"  # which is 37 MB, and slow to load
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
