"""Settings: what is refused, previews, passes, photos, colours, and weights for each level."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import generator, seeds
from torch import Tensor

from wct.color import _oklab
from wct.detail import restore_detail
from wct.errors import UsageError
from wct.gaussian import Gaussian
from wct.images import Picture
from wct.look import LOOK, PHOTO, TEXTURE, TRANSFORM_NAMES, Look
from wct.models import Model
from wct.models.spec import LEVELS
from wct.style import Style
from wct.stylizer import Stylizer
from wct.transforms import TRANSFORMS

some_levels = st.lists(st.sampled_from(LEVELS), min_size=1, unique=True).map(tuple)
strengths = st.dictionaries(st.sampled_from(LEVELS), st.sampled_from([0.0, 0.5, 1.0, 2.0]))


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=generator(seed))


def close(found: Tensor, wanted: Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(found, wanted, rtol=0, atol=atol)


def strength_by_level(look: Look) -> dict[int, float]:
    return {level: look.strength_at(level) for level in look.levels}


@pytest.fixture(scope="module")
def stylizer(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


@pytest.fixture(scope="module")
def a(stylizer: Stylizer) -> Style:
    return stylizer.style(noise(20, 24, 1))


@pytest.fixture(scope="module")
def b(stylizer: Stylizer) -> Style:
    return stylizer.style(0.3 * noise(20, 24, 2))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("alpha", (-0.1, float("nan"), float("inf"))),
        ("strength", ({3: -1.0}, {3: float("nan")})),
        ("levels", ((), (0,), (6,), (5, 9))),
        ("mode", ("both", "")),
        ("rank", (-1,)),
        ("passes", (0, -1)),
        ("color", ("contents", "")),
        ("color_strength", (-0.1, 1.1, float("nan"))),
        ("detail", (-0.1, 1.1, float("nan"))),
        ("grain", (-0.1, 256.0, float("nan"), float("inf"))),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(field: str, values: tuple[Any, ...]) -> None:
    for value in values:
        with pytest.raises(UsageError, match=field.rstrip("s")) as caught:
            Look(**{field: value})
        assert "\n" not in str(caught.value)


def test_a_strength_of_no_level_is_refused() -> None:
    with pytest.raises(UsageError, match="level 6 is unknown"):
        Look(strength={6: 1.0})


def test_patches_have_no_rank() -> None:
    with pytest.raises(UsageError, match="rank is 3 with transform swap"):
        Look(rank=3, transform="swap")


def test_the_names_of_transforms_are_those_there_are() -> None:
    assert set(TRANSFORM_NAMES) == set(TRANSFORMS)


def test_looks_that_have_a_name() -> None:
    assert Look() == LOOK
    assert (PHOTO.mode, set(PHOTO.levels)) == ("photo", {3, 2, 1})
    assert TEXTURE.passes > 1 and set(TEXTURE.levels) == set(LEVELS)


@given(some_levels, strengths)
def test_reducing_by_one_changes_nothing(levels: tuple[int, ...], strength: dict[int, float]) -> None:
    look = Look(levels=levels, strength=strength, alpha=0.5, mode="photo", rank=3, passes=2)
    reduced = look.reduced(1)
    assert strength_by_level(reduced) == strength_by_level(look)
    assert (reduced.alpha, reduced.mode, reduced.rank, reduced.passes) == (0.5, "photo", 3, 2)


@given(some_levels, strengths, st.integers(0, 3), st.integers(0, 3))
def test_reducing_twice_is_reducing_by_the_product(
    levels: tuple[int, ...], strength: dict[int, float], one: int, two: int
) -> None:
    look = Look(levels=levels, strength=strength)
    twice = look.reduced(2**one).reduced(2**two)
    assert strength_by_level(twice) == strength_by_level(look.reduced(2 ** (one + two)))


def test_reducing_moves_levels_up_and_the_deepest_of_those_that_meet_counts() -> None:
    look = Look(strength={1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4, 5: 0.5})
    assert strength_by_level(look.reduced(4)) == {1: 0.3, 2: 0.4, 3: 0.5}
    assert strength_by_level(Look(levels=(5, 1)).reduced(2)) == {4: 1, 1: 1}


@pytest.mark.parametrize("size", [None, 24])
def test_a_preview_as_large_as_the_result_is_the_result(stylizer: Stylizer, a: Style, size: int | None) -> None:
    content = noise(32, 48)
    full = stylizer(content, a, size=size, strength={4: 0.5}).rgb
    for preview in (size or 32, 100):
        found = stylizer(content, a, size=size, preview=preview, strength={4: 0.5}).rgb
        assert torch.equal(found, full)


@pytest.mark.parametrize(("size", "factor"), [(None, 4), (32, 2)])
def test_a_preview_is_small_with_finer_levels_and_strokes(stylizer: Stylizer, size: int | None, factor: int) -> None:
    content, picture = noise(64, 96), noise(40, 40, 1)
    found = stylizer(content, picture, size=size, preview=16, grain=0.0)
    assert found.size == (16, 24)
    style = stylizer.style(picture, scale=1 / factor)
    wanted = stylizer(Picture(content).resized(16), style, look=LOOK.reduced(factor), grain=0.0)
    assert torch.equal(found.rgb, wanted.rgb)


@given(seeds, some_levels, st.tuples(st.integers(1, 33), st.integers(1, 33)), st.sampled_from(["ot", "adain"]))
@settings(max_examples=25)
def test_a_photo_of_strength_zero_is_the_photo(
    stylizer: Stylizer, a: Style, seed: int, levels: tuple[int, ...], size: tuple[int, int], transform: str
) -> None:
    content = noise(*size, seed)
    found = stylizer(content, a, mode="photo", levels=levels, alpha=0, transform=transform).rgb
    close(found, content, 3e-5)  # rounding: up to 1.3e-5, a 300th of a grey level, on processors with AVX-512


def test_a_photo_in_its_own_style_is_the_photo_and_in_another_it_is_not(stylizer: Stylizer, a: Style) -> None:
    content = noise(64, 64)
    own = stylizer.style(content, scale=None)
    close(stylizer(content, own, look=PHOTO, detail=0.0).rgb, content, 1e-4)
    assert not torch.allclose(stylizer(content, a, look=PHOTO, detail=0.0).rgb, content, atol=1e-2)


def test_detail_is_restored_at_the_end(stylizer: Stylizer, a: Style) -> None:
    content = noise(32, 40)
    made = stylizer(content, a).rgb
    for amount in (0.5, 1.0):
        assert torch.equal(stylizer(content, a, detail=amount).rgb, restore_detail(made, content, amount))


@pytest.mark.parametrize("look", [LOOK, replace(PHOTO, detail=0.0), Look(mode="cascade", levels=(3, 1)), Look(rank=2)])
def test_two_passes_are_one_after_the_other(stylizer: Stylizer, a: Style, look: Look) -> None:
    content = noise(32, 40)
    once = stylizer(content, a, look=look).rgb
    twice = stylizer(content, a, look=look, passes=2).rgb
    close(twice, stylizer(once, a, look=replace(look, grain=0.0)).rgb)  # the grain is given once
    assert not torch.allclose(twice, once, atol=1e-3)


def test_no_directions_are_the_autoencoder_and_more_than_there_are_the_whole_style(
    stylizer: Stylizer, a: Style
) -> None:
    content = noise(32, 40)
    whole, none = stylizer(content, a).rgb, stylizer(content, a, alpha=0).rgb
    close(stylizer(content, a, rank=0).rgb, none)
    assert torch.equal(stylizer(content, a, rank=99).rgb, whole)
    some = stylizer(content, a, rank=2).rgb
    assert not torch.allclose(some, whole, atol=1e-3) and not torch.allclose(some, none, atol=1e-3)


def test_the_contents_colours_need_the_style_picture(stylizer: Stylizer, a: Style) -> None:
    content, picture = 0.5 + 0.3 * noise(32, 40), noise(20, 24, 1)
    found = stylizer(content, picture, color="content").rgb
    assert torch.equal(found, stylizer(content, stylizer.style(picture, colors=content), color="content").rgb)
    assert not torch.allclose(found, stylizer(content, picture).rgb, atol=1e-2)
    with pytest.raises(UsageError, match="holds its own colours"):
        stylizer(content, a, color="content")
    with pytest.raises(UsageError, match="some hold the content's colours"):
        stylizer.style(a, stylizer.style(picture, colors=content))


def test_luminance_keeps_chroma(stylizer: Stylizer, a: Style) -> None:
    content = 0.3 + 0.4 * noise(32, 40)
    found = stylizer(content, a, color="luminance").rgb
    assert float((_oklab(found) - _oklab(content))[1:].abs().max()) < 1e-3
    assert float((_oklab(found) - _oklab(content))[0].abs().max()) > 1e-2
    grey = stylizer(content.mean(0).expand(3, -1, -1), a, color="luminance").rgb
    assert float((grey.amax(0) - grey.amin(0)).max()) < 2e-3


@pytest.mark.parametrize("color", ["content", "luminance"])
def test_colours_of_strength_zero_are_the_styles(stylizer: Stylizer, color: str) -> None:
    content, picture = noise(32, 40), noise(20, 24, 1)
    plain = stylizer(content, picture).rgb
    close(stylizer(content, picture, color=color, color_strength=0).rgb, plain, 1e-3)
    assert not torch.allclose(stylizer(content, picture, color=color).rgb, plain, atol=1e-2)


def test_swapping_needs_patches(stylizer: Stylizer, a: Style) -> None:
    content, picture = noise(32, 40), noise(20, 24, 1)
    for style in (a, stylizer.style(a, stylizer.style(picture, patches=True))):
        with pytest.raises(UsageError, match="keeps no patches"):
            stylizer(content, style, transform="swap")
    ready = stylizer(content, stylizer.style(picture, patches=True), transform="swap").rgb
    assert torch.equal(stylizer(content, picture, transform="swap").rgb, ready)
    assert not torch.allclose(stylizer(content, a).rgb, ready, atol=1e-2)


@pytest.mark.parametrize("how", ["maps", "barycentre"])
@pytest.mark.parametrize("level", [1, 3])
def test_weights_by_level_count_at_their_level(stylizer: Stylizer, a: Style, b: Style, how: str, level: int) -> None:
    content, other = noise(32, 40), 2 if level == 1 else 1

    def made(style: Style, where: int) -> Tensor:
        return stylizer(content, style, levels=(where,)).rgb

    even = stylizer.style(a, b, blend=how)
    found = stylizer.style(a, b, weights=[{level: 0.0}, 1], blend=how)
    close(made(found, level), made(b, level))
    close(made(found, other), made(even, other))
    found = stylizer.style(a, b, weights=[{level: 3.0, other: 2.0}, {other: 2.0}], blend=how)
    close(made(found, level), made(stylizer.style(a, b, weights=[3, 1], blend=how), level))
    close(made(found, other), made(even, other))
    assert not torch.allclose(made(even, level), made(b, level), atol=1e-3)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([{6: 1.0}, 1], "weight of level 6: no such level"),
        ([1, {0: 1.0}], "weight of level 0: no such level"),
        ([{2: 0.0}, {2: 0.0}], "level 2: all weights are 0"),
        ([dict.fromkeys(LEVELS, 0.0), 0], "level 1: all weights are 0"),
        ([{2: -1.0}, 1], "level 2: weight -1.0"),
        ([{2: float("nan")}, 1], "level 2: weight nan"),
        ([{2: 1.0}], "1 weights for 2"),
    ],
)
def test_weights_that_do_not_fit_are_refused(a: Style, b: Style, weights: list[Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Style.blend([a, b], weights)


def same(found: Gaussian, wanted: Gaussian) -> bool:
    return torch.equal(found.mean, wanted.mean) and torch.equal(found.cov, wanted.cov)


def test_the_barycentre_of_one_style_is_that_style(stylizer: Stylizer, a: Style, b: Style) -> None:
    for style in (Style.blend([a], how="barycentre"), Style.blend([a, b], [1, 0], how="barycentre")):
        assert style.name == a.name and len(style.parts) == 1
        assert all(same(style.parts[0].gaussians[level], a.parts[0].gaussians[level]) for level in LEVELS)
    # Rounding shows more at five levels than at three.
    twice = Style.blend([a, a], [1, 3], how="barycentre")
    close(stylizer(noise(32, 40), twice, levels=(3, 2, 1)).rgb, stylizer(noise(32, 40), a, levels=(3, 2, 1)).rgb, 1e-3)


def test_the_barycentre_is_one_gaussian_and_another_picture(stylizer: Stylizer, a: Style, b: Style) -> None:
    between = stylizer.style(a, b, blend="barycentre")
    assert len(between.parts) == 1
    found, maps = stylizer(noise(32, 40), between).rgb, stylizer(noise(32, 40), stylizer.style(a, b)).rgb
    assert bool(torch.isfinite(found).all()) and not torch.allclose(found, maps, atol=1e-4)


def test_an_unknown_blend_is_refused(a: Style, b: Style) -> None:
    with pytest.raises(UsageError, match="blend 'mean' is unknown; choose maps or barycentre"):
        Style.blend([a, b], how="mean")
