"""Regions: who takes which pixel, what each is measured from, and what is kept."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import generator, seeds
from torch import Tensor

from wct.content import Content
from wct.errors import InputError, UsageError
from wct.gaussian import Gaussian, joined
from wct.images import Picture, PictureWarning
from wct.maps import AffineMap, Mixture
from wct.models import Model
from wct.models.encoder import halved
from wct.regions import Layout, Region, layout
from wct.style import Style
from wct.stylizer import Stylizer
from wct.transforms import wct
from wct.windows import Window, tiles

pytestmark = pytest.mark.filterwarnings("ignore:the region of style:wct.images.PictureWarning")

SIZE = (32, 48)


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=generator(seed))


def half(side: str, size: tuple[int, int] = SIZE) -> Tensor:
    """A hard mask of the left or right half."""
    mask, middle = torch.zeros(size), size[1] // 2
    mask[:, :middle] = 1
    return mask if side == "left" else 1 - mask


def soft(seed: int, size: tuple[int, int] = SIZE) -> Tensor:
    """A mask with black, white and grey parts."""
    return (2 * torch.rand(size, generator=generator(seed)) - 0.5).clamp(0, 1)


@pytest.fixture(scope="module")
def stylizer(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


@pytest.fixture(scope="module")
def a(stylizer: Stylizer) -> Style:
    return stylizer.style(noise(20, 24, 1))


@pytest.fixture(scope="module")
def b(stylizer: Stylizer) -> Style:
    return stylizer.style(0.3 * noise(20, 24, 2))


def close(found: Tensor, wanted: Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(found, wanted, rtol=0, atol=atol)


def test_one_region_without_a_mask_is_the_plain_style(stylizer: Stylizer, a: Style) -> None:
    assert torch.equal(stylizer(noise(*SIZE), [Region(a)]).rgb, stylizer(noise(*SIZE), a).rgb)


@pytest.mark.parametrize("size", [(1, 1), (17, 5), SIZE])
def test_a_white_mask_is_no_mask(stylizer: Stylizer, a: Style, size: tuple[int, int]) -> None:
    masked = stylizer(noise(*size), [Region(a, torch.ones(size))]).rgb
    close(masked, stylizer(noise(*size), a).rgb)


@given(seeds, st.sampled_from(["single", "cascade", "photo"]), st.booleans())
@settings(max_examples=15)
def test_what_is_kept_stays_exactly(stylizer: Stylizer, a: Style, seed: int, mode: str, rest: bool) -> None:
    """By a region without a style, and where no region is; grey masks change a pixel the less the darker they are."""
    content, mask = noise(*SIZE, seed), soft(seed)
    regions = [Region(None, mask), Region(a)] if rest else [Region(a, 1 - mask)]
    made = stylizer(content, regions, mode=mode).rgb
    assert torch.equal(made[:, mask == 1], content[:, mask == 1])
    assert not torch.allclose(made[:, mask == 0], content[:, mask == 0], atol=1e-2)


def test_fully_transparent_pixels_stay_exactly(stylizer: Stylizer, a: Style, b: Style) -> None:
    alpha = np.full(SIZE, 255, np.uint8)
    alpha[8:20, 10:40] = 0
    content = Picture(noise(*SIZE), alpha)
    for regions in ([Region(a)], [Region(a, half("left")), Region(b)]):
        made = stylizer(content, regions)
        assert np.array_equal(made.alpha, alpha)
        assert torch.equal(made.rgb[:, alpha == 0], content.rgb[:, alpha == 0])
        assert not torch.allclose(made.rgb[:, alpha > 0], content.rgb[:, alpha > 0], atol=1e-2)


def test_hidden_colours_do_not_count_in_any_region(stylizer: Stylizer, a: Style, b: Style) -> None:
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[16:48, 16:48] = 0
    mask, visible = half("left", (64, 64)), torch.from_numpy(alpha > 0)
    results = [
        stylizer(Picture(torch.where(visible, noise(64, 64), hidden), alpha), [Region(a, mask), Region(b)], levels=(1,))
        for hidden in (0.0, 1.0)
    ]
    close(results[0].rgb[:, visible], results[1].rgb[:, visible])


def test_each_region_takes_the_map_of_its_own_statistics(stylizer: Stylizer, a: Style, b: Style) -> None:
    """At relu1_1, features have the size of pixels, and the decoder mixes neighbours alone."""
    content, left, right = noise(*SIZE), half("left"), half("right")
    both = stylizer(content, [Region(a, left), Region(b, right)], levels=(1,)).rgb
    for style, mask, inside in ((a, left, slice(0, 22)), (b, right, slice(26, 48))):
        alone = stylizer(content, [Region(style, mask)], levels=(1,)).rgb
        close(both[..., inside], alone[..., inside])
        assert not torch.allclose(both[..., inside], stylizer(content, style, levels=(1,)).rgb[..., inside], atol=1e-3)


def test_a_region_has_the_statistics_of_its_style(stylizer: Stylizer, a: Style, b: Style) -> None:
    x = stylizer.model.encoder(noise(*SIZE)[None], (1,))[1]
    plan = Layout((a, b), torch.stack([half("left"), half("right")]))
    window = Window.whole(SIZE)
    maps = plan.maps(plan.measure(1, x, window), 1, wct)
    made = plan.apply(maps, 1, window, x)
    for style, columns in ((a, slice(0, 24)), (b, slice(24, 48))):
        found, wanted = Gaussian.of(made[..., columns]), style.parts[0].gaussians[1]
        torch.testing.assert_close(found.mean, wanted.mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.cov, wanted.cov, rtol=1e-3, atol=1e-3)


@given(seeds, st.integers(1, 4), st.booleans())
def test_masks_that_overlap_share_and_what_no_region_takes_is_kept(seed: int, count: int, rest: bool) -> None:
    style = Style((), "")
    masks: list[Tensor | None] = [soft(seed + i) for i in range(count)]
    given_sum = torch.stack([mask for mask in masks if mask is not None]).sum(0)
    plan = layout(Content.of(Picture(noise(*SIZE))), [style] * (count + rest), [*masks, *([None] * rest)])
    assert plan.shares is not None
    total = plan.shares.sum(0)
    close(total, torch.ones(SIZE) if rest else given_sum.clamp(max=1), 1e-6)
    for share, mask in zip(plan.shares, masks, strict=False):
        assert mask is not None
        close(share * given_sum.clamp(min=1), mask, 1e-6)
    kept = plan.kept(Window.whole(SIZE))
    close(torch.zeros(SIZE) if kept is None else kept, 1 - total.clamp(0, 1), 1e-6)


def test_two_white_masks_are_half_of_each(stylizer: Stylizer, a: Style, b: Style) -> None:
    white = torch.ones(SIZE)
    shared = stylizer(noise(*SIZE), [Region(a, white), Region(b, white)], levels=(3, 2, 1)).rgb
    close(shared, stylizer(noise(*SIZE), stylizer.style(a, b), levels=(3, 2, 1)).rgb, 1e-4)
    assert not torch.allclose(shared, stylizer(noise(*SIZE), a, levels=(3, 2, 1)).rgb, atol=1e-2)


@given(seeds, st.permutations(range(4)))
@settings(max_examples=10)
def test_the_order_of_regions_does_not_matter(
    stylizer: Stylizer, a: Style, b: Style, seed: int, order: list[int]
) -> None:
    regions = [Region(a, soft(seed)), Region(b, soft(seed + 1)), Region(None, soft(seed + 2)), Region(a)]
    content = noise(*SIZE, seed)
    found = stylizer(content, [regions[i] for i in order], levels=(3, 2, 1)).rgb
    close(found, stylizer(content, regions, levels=(3, 2, 1)).rgb, 1e-4)


def test_measuring_under_hard_masks_is_measuring_crops(stylizer: Stylizer, a: Style, b: Style) -> None:
    top = torch.zeros(64, 96)
    top[:32] = 1
    plan = Layout((a, b), torch.stack([top, 1 - top]))
    features = stylizer.model.encoder(noise(64, 96)[None], (1, 2, 3, 4))
    for level, x in features.items():
        assert x.shape[-2:] == halved((64, 96), level)
        middle = x.shape[-2] // 2
        parts = plan.measure(level, x, Window.whole(halved((64, 96), level)))
        for found, crop in zip(parts, (x[..., :middle, :], x[..., middle:, :]), strict=True):
            assert found is not None
            wanted = Gaussian.of(crop)
            torch.testing.assert_close(found.mean, wanted.mean, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(found.cov, wanted.cov, rtol=1e-5, atol=1e-5)
            assert found.n == pytest.approx(wanted.n)


def test_a_region_of_few_features_borrows_and_others_do_not(a: Style) -> None:
    x = torch.rand(1, 8, 8, 8, generator=generator(0))
    few = torch.zeros(8, 8)
    few[0, :3] = 1
    seen: list[Gaussian] = []
    plan = Layout((a, a), torch.stack([few, 1 - few]))
    plan.maps(plan.measure(1, x, Window.whole((8, 8))), 1, lambda part, _: seen.append(part) or AffineMap.identity(8))
    small, large = seen
    assert torch.linalg.matrix_rank(Gaussian.of(x, few).cov, rtol=1e-5) == 2
    assert torch.linalg.matrix_rank(small.cov, rtol=1e-5) == 8
    torch.testing.assert_close(large.cov, Gaussian.of(x, 1 - few).cov)
    wanted = (3 * Gaussian.of(x, few).mean + 5 * Gaussian.of(x).mean) / 8
    torch.testing.assert_close(small.mean, wanted, rtol=1e-5, atol=1e-6)


@given(seeds, st.integers(1, 5), st.integers(1, 5))
def test_windows_see_their_part_of_the_regions(seed: int, level: int, count: int) -> None:
    """Measured and mapped window by window, or at once: the same."""
    masks = (2 * torch.rand((count, 37, 53), generator=generator(seed)) - 1).clamp(0, 1) / count
    plan, size = Layout((Style((), ""),) * count, masks), halved((37, 53), level)
    x, maps = torch.rand((1, 4, *size), generator=generator(seed)), [affine(seed + 3 * i) for i in range(count)]
    whole = Window.whole(size)
    wanted, made = plan.measure(level, x, whole), plan.apply(maps, level, whole, x)
    parts: list[Gaussian | None] = []
    for window in tiles(size, 4):
        part = window.of(x)
        parts = joined(parts, plan.measure(level, part, window))
        close(plan.apply(maps, level, window, part), window.of(made))
    for found, one in zip(parts, wanted, strict=True):
        assert (found is None) == (one is None)
        if found is not None and one is not None:
            assert found.n == pytest.approx(one.n, rel=1e-4)
            torch.testing.assert_close(found.cov, one.cov, rtol=1e-3, atol=1e-5)


def affine(seed: int, channels: int = 4) -> AffineMap:
    parts = [torch.randn(shape, generator=generator(seed + i)) for i, shape in enumerate([(4, 4), (4,), (4,)])]
    return AffineMap(*(part[:channels].double() for part in parts))


@given(seeds, st.integers(1, 3), st.booleans(), st.integers(1, 5))
def test_maps_of_any_kind_mix_alike(seed: int, count: int, whole: bool, level: int) -> None:
    """One map is applied everywhere; several are mixed after their shares, affine or not."""
    masks = torch.stack([soft(seed + i, (16, 24)) for i in range(count)]) + 1e-3 * whole
    plan = Layout((Style((), ""),) * count, masks / masks.sum(0).clamp(min=1))
    size = halved((16, 24), level)
    x, window = torch.randn((1, 4, *size), generator=generator(seed)), Window.whole(size)
    maps = [affine(seed + 3 * i) for i in range(count)]
    mixed = plan.apply(maps, level, window, x)
    close(plan.apply([Mixture((one,), (1.0,)) for one in maps], level, window, x), mixed, 1e-4)
    close(plan.apply([maps[0]] * count, level, window, x), maps[0](x), 1e-4)
    made = torch.stack([one(x) for one in maps])
    slack = 1e-4
    assert bool(((mixed >= made.amin(0) - slack) & (mixed <= made.amax(0) + slack)).all())


@given(seeds)
def test_each_feature_takes_its_maps_in_their_shares(seed: int) -> None:
    masks = torch.stack([soft(seed), soft(seed + 1)]) + 0.01
    shares = masks / masks.sum(0)
    x = torch.randn((1, 4, *SIZE), generator=generator(seed))
    maps = [affine(seed), affine(seed + 3)]
    wanted = shares[0] * maps[0](x) + shares[1] * maps[1](x)
    close(Layout((Style((), ""),) * 2, shares).apply(maps, 1, Window.whole(SIZE), x), wanted, 1e-4)


def test_swapping_patches_in_regions(stylizer: Stylizer) -> None:
    """Where the content is measured alike in all regions, the same style in all of them is one style."""
    tile = noise(*SIZE)
    content = torch.cat([tile, tile], dim=2)
    style = stylizer.style(noise(24, 28, 1), patches=True)
    size = (content.shape[1], content.shape[2])
    white = torch.ones(size)
    whole = stylizer(content, style, transform="swap").rgb
    close(stylizer(content, [Region(style, white), Region(style, white)], transform="swap").rgb, whole, 1e-4)
    other = stylizer.style(noise(24, 28, 2), patches=True)
    regions = [Region(style, half("left", size)), Region(None, half("right", size) * soft(0, size)), Region(other)]
    made = stylizer(content, regions, transform="swap").rgb
    assert bool(torch.isfinite(made).all()) and not torch.allclose(made, whole, atol=1e-2)
    plain = stylizer(content, regions).rgb
    assert not torch.allclose(made, plain, atol=1e-2)


def test_a_small_region_warns_once_and_is_finite(stylizer: Stylizer, a: Style) -> None:
    mask = torch.zeros(64, 80)
    mask[3, 5] = 1
    speck = replace(a, parts=(replace(a.parts[0], name="speck.png"),))
    with pytest.warns(PictureWarning) as caught:
        made = stylizer(noise(64, 80), [Region(speck, mask), Region(a)]).rgb
    assert [str(one.message).startswith("the region of style speck.png has only 1 pixels") for one in caught] == [True]
    assert bool(torch.isfinite(made).all())


def test_regions_large_enough_do_not_warn(stylizer: Stylizer, a: Style, b: Style) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stylizer(noise(64, 128), [Region(a, half("left", (64, 128))), Region(b)], levels=(1,))
        stylizer(noise(20, 20), [Region(a, half("left", (20, 20)))], levels=(1,))


def test_masks_are_resized_with_their_picture(stylizer: Stylizer, a: Style) -> None:
    content, mask = noise(*SIZE), half("left")
    for changes in ({"size": 16}, {"preview": 16}):
        settings: dict[str, Any] = dict(changes)
        made = stylizer(content, [Region(a, mask)], **settings)
        assert made.size == (16, 24)
        assert torch.equal(made.rgb[..., 12:], Picture(content).resized(16).rgb[..., 12:])
        assert not torch.allclose(made.rgb[..., :12], Picture(content).resized(16).rgb[..., :12], atol=1e-2)


def test_a_style_with_a_mask_is_measured_inside(stylizer: Stylizer) -> None:
    picture, mask = noise(96, 96, 1), half("left", (96, 96))
    found = stylizer.style(picture, mask=mask).parts[0].gaussians
    whole = stylizer.model.encoder(picture[None], (1, 3))
    for level, x in whole.items():
        wanted = Gaussian.of(x[..., : x.shape[-1] // 2])
        torch.testing.assert_close(found[level].mean, wanted.mean, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found[level].cov, wanted.cov, rtol=1e-4, atol=1e-4)
    white, plain = stylizer.style(picture, mask=torch.ones(96, 96)), stylizer.style(picture)
    for level in (1, 5):
        torch.testing.assert_close(white.parts[0].gaussians[level].cov, plain.parts[0].gaussians[level].cov)


@pytest.mark.parametrize(
    ("made", "kind", "words"),
    [
        (lambda _: [], UsageError, "no region given"),
        (lambda a: [Region(a), Region(a)], UsageError, "2 regions have no mask"),
        (lambda a: [Region(a), Region(None)], UsageError, "2 regions have no mask"),
        (lambda _: [Region(None)], UsageError, "no pixel is left for a style"),
        (lambda _: [Region(None, half("left"))], UsageError, "no pixel is left for a style"),
        (lambda a: [Region(None, torch.ones(SIZE)), Region(a)], UsageError, "no pixel is left for a style"),
        (lambda a: [Region(a, torch.ones(32, 47))], InputError, "needed 48x32"),
        (lambda a: [Region(a, torch.ones(48, 32)), Region(a)], InputError, "needed 48x32"),
        (lambda a: [Region(a, torch.zeros(SIZE))], InputError, "black everywhere"),
    ],
)
def test_regions_that_cannot_be_are_refused(
    stylizer: Stylizer, a: Style, made: Callable[[Style], list[Region]], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        stylizer(noise(*SIZE), made(a))
    assert "\n" not in str(caught.value)


def test_a_region_under_transparency_alone_is_refused(stylizer: Stylizer, a: Style) -> None:
    content = Picture(noise(*SIZE), (255 * half("right").numpy()).astype(np.uint8), "photo.png")
    with pytest.raises(UsageError, match=r"photo\.png: no pixel is left"):
        stylizer(content, [Region(a, half("left"))])
