"""Textures: sizes, seeds, and tiles without a seam."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import generator
from torch import Tensor

from wct.canvas import Canvas
from wct.errors import UsageError
from wct.fields import Held
from wct.gaussian import Gaussian
from wct.look import TEXTURE, Look
from wct.loop import Loop
from wct.models import Model
from wct.regions import Layout
from wct.style import Style
from wct.stylizer import Progress, Stylizer
from wct.texture import GRID, noise
from wct.transforms import transform


@pytest.fixture(scope="module")
def stylizer(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


@pytest.fixture(scope="module")
def style(stylizer: Stylizer) -> Style:
    return stylizer.style(torch.rand(3, 40, 48, generator=generator(1)))


@given(st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=15)
def test_any_size(stylizer: Stylizer, style: Style, height: int, width: int) -> None:
    made = stylizer.texture(style, (height, width), passes=1)
    assert made.size == (height, width) and made.alpha is None
    assert bool(torch.isfinite(made.rgb).all()) and 0 <= float(made.rgb.min()) <= float(made.rgb.max()) <= 1


def test_a_number_is_the_side_of_a_square(stylizer: Stylizer, style: Style) -> None:
    assert stylizer.texture(style, 24, passes=1).size == (24, 24)


@pytest.mark.parametrize("tileable", [False, True])
def test_the_seed_says_which(stylizer: Stylizer, style: Style, tileable: bool) -> None:
    one, again, other = (stylizer.texture(style, 32, seed=seed, tileable=tileable).rgb for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.allclose(one, other, atol=1e-2)


def test_the_seed_of_the_program_neither_counts_nor_changes(stylizer: Stylizer, style: Style) -> None:
    torch.manual_seed(5)
    one = stylizer.texture(style, 16).rgb
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn)
    assert torch.equal(stylizer.texture(style, 16).rgb, one)


def test_a_texture_is_of_its_style(stylizer: Stylizer, style: Style) -> None:
    """A picture in place of the style is the same; another style, or a blend, is another texture."""
    picture = torch.rand(3, 40, 48, generator=generator(1))
    other = stylizer.style(0.3 * picture)
    made = [stylizer.texture(one, 32).rgb for one in (style, picture, other, stylizer.style(style, other))]
    assert torch.equal(made[0], made[1])
    for i, j in ((0, 2), (0, 3), (2, 3)):
        assert not torch.allclose(made[i], made[j], atol=1e-2)


def test_swapped_patches_make_a_texture(stylizer: Stylizer, style: Style) -> None:
    patches = stylizer.style(torch.rand(3, 40, 48, generator=generator(1)), patches=True)
    made = stylizer.texture(patches, 32, transform="swap").rgb
    assert bool(torch.isfinite(made).all())
    assert not torch.allclose(made, stylizer.texture(style, 32).rgb, atol=1e-2)


def test_what_is_about_a_content_says_nothing(stylizer: Stylizer, style: Style) -> None:
    plain = stylizer.texture(style, 16).rgb
    for look in (replace(TEXTURE, color="content"), replace(TEXTURE, color="luminance", detail=1.0)):
        assert torch.equal(stylizer.texture(style, 16, look=look).rgb, plain)
    assert torch.equal(stylizer.texture(style, 16, color="content", detail=1.0).rgb, plain)


def test_progress_counts_all_passes(stylizer: Stylizer, style: Style) -> None:
    seen: list[Progress] = []
    stylizer.texture(style, 16, progress=seen.append)
    assert [step.done for step in seen] == list(range(1, TEXTURE.steps + 1))
    assert {step.total for step in seen} == {TEXTURE.steps}


def looped(stylizer: Stylizer, style: Style, look: Look, pixels: Tensor, wrap: bool = True) -> Tensor:
    """What the loop makes of pixels (1, 3, H, W) in one piece."""
    canvas = Canvas(stylizer.model, wrap=wrap)
    return canvas.collected(Loop(canvas, look, Layout((style,), None))([Held(0, pixels)])[0])


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2), st.integers(1, 2))
@settings(max_examples=15)
def test_a_tile_has_no_place_where_it_begins(
    stylizer: Stylizer, style: Style, rows: int, columns: int, down: int, right: int, passes: int
) -> None:
    """Noise that is rolled by whole features gives the result, rolled."""
    pixels = noise((GRID * rows, GRID * columns), 0, tileable=True)
    look, shifts = replace(TEXTURE, passes=passes, levels=(3, 2, 1)), (GRID * down, GRID * right)
    rolled = looped(stylizer, style, look, pixels.roll(shifts, (2, 3)))
    wanted = looped(stylizer, style, look, pixels).roll(shifts, (2, 3))
    torch.testing.assert_close(rolled, wanted, rtol=0, atol=1e-4)


def test_all_levels_meet_at_the_edges_of_a_tile_alone(stylizer: Stylizer, style: Style) -> None:
    pixels, look = noise((64, 64), 0), replace(TEXTURE, passes=1)
    for wrap in (True, False):
        rolled = looped(stylizer, style, look, pixels.roll((32, 32), (2, 3)), wrap)
        apart = (rolled - looped(stylizer, style, look, pixels, wrap).roll((32, 32), (2, 3))).abs()
        assert (float(apart.max()) < 1e-2) == wrap


def test_a_tile_is_the_wrapped_loop_on_noise(stylizer: Stylizer, style: Style) -> None:
    wanted = looped(stylizer, style, TEXTURE, noise((32, 48), 7, tileable=True))[0]
    tile = stylizer.texture(style, (32, 48), seed=7, tileable=True).rgb
    torch.testing.assert_close(tile, wanted, rtol=0, atol=1e-3)
    assert not torch.allclose(stylizer.texture(style, (32, 48), seed=7).rgb, tile, atol=1e-2)


def test_noise_gets_the_statistics_of_the_style(stylizer: Stylizer, style: Style) -> None:
    wanted = style.parts[0].gaussians[1]
    x = stylizer.model.encoder(noise((64, 64), 0), (1,))[1]
    found = Gaussian.of(transform("ot")(Gaussian.of(x), wanted)(x))
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.cov, wanted.cov, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 0}, "texture size is 0x0"),
        ({"size": (16, -1)}, "texture size is 16x-1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
        ({"size": 500, "tileable": True}, "multiples of 16, such as 496x496"),
        ({"size": (32, 3), "tileable": True}, "multiples of 16, such as 32x16"),
        ({"tileable": True, "transform": "swap"}, "tileable texture cannot be made by swap"),
        ({"transform": "swap"}, "keeps no patches"),
        ({"passes": 0}, "passes is 0"),
        ({"alpha": -1}, "alpha is -1"),
    ],
)
def test_what_cannot_be_is_refused(stylizer: Stylizer, style: Style, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        stylizer.texture(style, **{"size": 16, **wrong})
    assert "\n" not in str(caught.value)
