"""Patches that a style keeps, and features put together from them."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import generator, normal, seeds
from torch import Tensor
from torch.nn import functional as F

from wct.errors import UsageError
from wct.gaussian import Gaussian
from wct.swap import PatchMap, Texture

sides = st.integers(1, 7)
pictures = st.builds(lambda c, h, w, seed: normal((c, h, w), seed), st.integers(1, 4), sides, sides, seeds)


def patches_of(features: Tensor) -> Tensor:
    """(H W, C, 3, 3), the patch around every pixel, row by row."""
    padded = F.pad(features[None], (1, 1, 1, 1), mode="replicate")
    return F.unfold(padded, 3)[0].mT.unflatten(1, (len(features), 3, 3))


def between(content: Tensor, style: Tensor, count: int = 2048) -> PatchMap:
    return PatchMap.between(Gaussian.of(content), Texture.of(style, count=count))


def by_the_textbook(content: Tensor, texture: Texture) -> Tensor:
    """Pixel by pixel: the patch of largest normalised correlation, then the mean of all that cover a pixel."""
    height, width = content.shape[1:]
    own = patches_of(content - content.mean((1, 2), keepdim=True)).flatten(1)
    known = (texture.patches - texture.mean[:, None, None]).flatten(1)
    total, layers = torch.zeros(len(content), height + 2, width + 2).double(), torch.zeros(height + 2, width + 2)
    for number, one in enumerate(own):
        best = max(range(len(known)), key=lambda k: float(one @ known[k] / known[k].norm()))
        row, column = divmod(number, width)
        total[:, row : row + 3, column : column + 3] += texture.patches[best]
        layers[row : row + 3, column : column + 3] += 1
    return (total / layers)[:, 1:-1, 1:-1]


# Texture


@given(pictures)
def test_a_texture_has_the_statistics_of_a_gaussian_and_all_patches_where_there_are_few(features: Tensor) -> None:
    plain, found = Gaussian.of(features), Texture.of(features)
    assert found.n == plain.n and torch.equal(found.mean, plain.mean) and torch.equal(found.cov, plain.cov)
    assert torch.equal(found.patches, patches_of(features))


@given(pictures, st.integers(1, 60))
def test_a_sample_is_the_same_every_time_and_has_no_patch_twice(features: Tensor, count: int) -> None:
    found = Texture.of(features, count=count).patches
    assert torch.equal(found, Texture.of(features[None], count=count).patches)
    everything = patches_of(features)
    assert len(found) == min(count, len(everything))
    # A pixel of normal noise is the only one of its kind, and its patch with it.
    numbers = [int((everything == one).flatten(1).all(1).nonzero()) for one in found]
    assert numbers == sorted(set(numbers))


def test_patches_come_from_where_the_weight_is() -> None:
    features = torch.arange(400.0).reshape(1, 20, 20)
    weights = torch.full((20, 20), 1e-3)
    weights[:, :5], weights[:, 15:] = 1, 0
    middles = Texture.of(features, weights, count=80).patches[:, 0, 1, 1] % 20
    assert int((middles < 5).sum()) > 60
    assert len(Texture.of(features, weights).patches) == 300
    assert float((Texture.of(features, weights).patches[:, 0, 1, 1] % 20).max()) < 15


def test_a_small_sample_comes_from_everywhere() -> None:
    middles = Texture.of(torch.arange(10000.0).reshape(1, 100, 100), count=400).patches[:, 0, 1, 1]
    assert torch.histc(middles, 4, 0, 10000).min() > 60


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_patches_keep_the_dtype_of_the_features(dtype: torch.dtype) -> None:
    found = Texture.of(normal((3, 4, 5), 1).to(dtype)).to("cpu")
    assert (found.mean.dtype, found.patches.dtype) == (torch.float64, dtype)
    assert len(found.patches) == 20


def test_what_is_no_texture_is_refused() -> None:
    features = normal((3, 4, 5), 1)
    with pytest.raises(UsageError, match="count is 0; it needs 1 patch or more"):
        Texture.of(features, count=0)
    with pytest.raises(UsageError, match=r"patches of 3 channels do not fit features of shape \(3, 20\)"):
        Texture.of(features.flatten(1))
    with pytest.raises(UsageError, match="all weights are 0"):
        Texture.of(features, torch.zeros(4, 5))
    whole = Gaussian.of(features)
    for patches in (torch.zeros(0, 3, 3, 3), torch.zeros(5, 2, 3, 3), torch.zeros(5, 3, 3, 3, dtype=torch.int64)):
        with pytest.raises(UsageError, match=r"needs float patches \(K, 3, 3, 3\), found"):
            Texture(whole.n, whole.mean, whole.cov, patches)


# PatchMap


@given(pictures)
def test_a_style_swapped_with_itself_is_itself(features: Tensor) -> None:
    torch.testing.assert_close(between(features, features)(features), features, rtol=0, atol=1e-12)


def test_so_it_is_wherever_its_patches_were_kept() -> None:
    features = normal((6, 12, 12), 1)
    inside = torch.zeros(12, 12)
    inside[2:9, 3:10] = 1
    found = PatchMap.between(Gaussian.of(features), Texture.of(features, inside))
    # All nine patches over a pixel are known two pixels inside the border of the mask.
    torch.testing.assert_close(found(features)[:, 3:8, 4:9], features[:, 3:8, 4:9], rtol=0, atol=1e-12)
    assert not torch.allclose(found(features)[:, 2:9, 3:10], features[:, 2:9, 3:10])


@given(pictures, seeds)
def test_every_pixel_is_the_mean_of_the_nearest_patches_over_it(content: Tensor, seed: int) -> None:
    texture = Texture.of(normal((len(content), 4, 5), seed), count=9)
    found = PatchMap.between(Gaussian.of(content), texture)(content)
    torch.testing.assert_close(found, by_the_textbook(content, texture), rtol=0, atol=1e-12)


@given(pictures, st.integers(1, 200))
def test_bands_do_not_show(features: Tensor, at_once: int) -> None:
    swapped = between(features, normal((len(features), 6, 6), 1))
    with patch("wct.swap._AT_ONCE", at_once):
        banded = swapped(features)
    torch.testing.assert_close(banded, swapped(features), rtol=0, atol=1e-12)


def test_brightness_and_contrast_of_the_content_do_not_matter() -> None:
    content, style = normal((4, 9, 9), 1), normal((4, 9, 9), 2)
    wanted = between(content, style)(content)
    other = 1e-3 * content + normal((4, 1, 1), 3)
    assert torch.equal(between(other, style)(other), wanted)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("lead", [(), (1,)])
def test_shape_and_dtype_stay(dtype: torch.dtype, lead: tuple[int, ...]) -> None:
    content = torch.rand((*lead, 3, 5, 4), generator=generator(1)).to(dtype)
    swapped = between(content, torch.rand((3, 6, 6), generator=generator(2)))
    found = swapped(content)
    assert (found.shape, found.dtype) == (content.shape, dtype)
    assert torch.equal(found, swapped(content))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(found, swapped(content))


@given(pictures)
def test_part_of_the_way_is_between_content_and_swap(content: Tensor) -> None:
    swapped = between(content, normal((len(content), 5, 5), 1))
    whole = swapped(content)
    torch.testing.assert_close(swapped.toward_identity(0)(content), content)
    torch.testing.assert_close(swapped.toward_identity(1)(content), whole)
    torch.testing.assert_close(swapped.toward_identity(0.3)(content), 0.7 * content + 0.3 * whole)


def test_what_does_not_fit_is_refused() -> None:
    content, style = normal((3, 5, 5), 1), normal((2, 5, 5), 2)
    with pytest.raises(UsageError, match="swapping patches needs equal numbers of channels, found 3, 2"):
        between(content, style)
    swapped = between(content, content)
    for other in (style, content.flatten(1), torch.stack([content, content])):
        with pytest.raises(UsageError, match="patches of 3 channels do not fit features of shape"):
            swapped(other)
    with pytest.raises(UsageError, match="alpha is -1"):
        swapped.toward_identity(-1)
