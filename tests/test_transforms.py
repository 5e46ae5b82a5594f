"""Whitening and coloring: the style's statistics arrive, and nothing is ever blown up."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_rank, channels, full_rank, generator, normal, scales, seeds
from torch import Tensor

from wct.errors import NumericsError, UsageError
from wct.gaussian import AffineMap, Gaussian
from wct.linalg import RELATIVE_CUT
from wct.transforms import ROUNDING, TRANSFORMS, transform, wct

Pair = tuple[Tensor, Tensor]
sound_pairs = channels.flatmap(lambda size: st.tuples(full_rank(size), full_rank(size)))
any_pairs = channels.flatmap(lambda size: st.tuples(any_rank(size), any_rank(size)))


def size_of(gaussian: Gaussian) -> float:
    return float(gaussian.mean.abs().max() + gaussian.std.max())


def dropped(gaussian: Gaussian) -> float:
    """The most variance that the rank cut may leave as it is, in any direction."""
    top = float(torch.linalg.matrix_norm(gaussian.cov, 2))
    return max(RELATIVE_CUT * top, float((ROUNDING * gaussian.mean).square().sum()))


def assert_maps_equal(found: AffineMap, wanted: AffineMap, rtol: float = 1e-6) -> None:
    atol = rtol * (1 + float(wanted.matrix.abs().max()))
    torch.testing.assert_close(found.matrix, wanted.matrix, rtol=0, atol=atol)
    torch.testing.assert_close(found.source, wanted.source, rtol=rtol, atol=0)
    torch.testing.assert_close(found.target, wanted.target, rtol=rtol, atol=0)


@given(sound_pairs)
def test_mapped_features_have_the_mean_and_covariance_of_the_style(pair: Pair) -> None:
    content, style = pair
    wanted = Gaussian.of(style)
    found = Gaussian.of(wct(Gaussian.of(content), wanted)(content))
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-9 * size_of(wanted))
    torch.testing.assert_close(found.cov, wanted.cov, rtol=0, atol=1e-6 * float(wanted.cov.abs().max()))


@given(sound_pairs)
def test_so_do_float32_features(pair: Pair) -> None:
    content, style = (pixels.float() for pixels in pair)
    wanted = Gaussian.of(style)
    found = Gaussian.of(wct(Gaussian.of(content), wanted)(content))
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-3 * float(wanted.std.max()))
    torch.testing.assert_close(found.cov, wanted.cov, rtol=0, atol=1e-2 * float(wanted.cov.abs().max()))


@given(any_pairs)
def test_whatever_the_ranks_the_mean_arrives_and_nothing_is_amplified(pair: Pair) -> None:
    content, style = pair
    source, wanted = Gaussian.of(content), Gaussian.of(style)
    mapped = wct(source, wanted)(content)
    assert torch.isfinite(mapped).all()
    found = Gaussian.of(mapped)
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-8 * (size_of(wanted) + size_of(source)))
    left = source.channels * dropped(source)
    assert float(found.cov.trace()) <= 1.01 * (float(wanted.cov.trace()) + left) + (1e-12 * size_of(wanted)) ** 2


@given(any_pairs)
def test_nor_are_float32_features(pair: Pair) -> None:
    content, style = (pixels.float() for pixels in pair)
    source, wanted = Gaussian.of(content), Gaussian.of(style)
    found = Gaussian.of(wct(source, wanted)(content))
    left = source.channels * dropped(source)
    assert float(found.cov.trace()) <= 1.1 * (float(wanted.cov.trace()) + left) + (1e-5 * size_of(wanted)) ** 2


@given(channels.flatmap(any_rank))
def test_style_equal_to_content_is_the_identity(content: Tensor) -> None:
    gaussian = Gaussian.of(content)
    found = wct(gaussian, gaussian)
    torch.testing.assert_close(found.matrix, torch.eye(len(content), dtype=torch.float64), rtol=0, atol=1e-9)
    torch.testing.assert_close(found(content), content, rtol=0, atol=1e-9 * float(content.abs().max()) + 1e-300)


@given(sound_pairs, scales)
def test_the_unit_of_the_features_does_not_matter(pair: Pair, scale: float) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    larger = wct(Gaussian.of(scale * pair[0]), Gaussian.of(scale * pair[1]))
    plain = wct(content, style)
    assert_maps_equal(larger, AffineMap(plain.matrix, scale * plain.source, scale * plain.target))


@given(any_pairs, seeds)
def test_channel_order_does_not_matter(pair: Pair, seed: int) -> None:
    content, style = pair
    order = torch.randperm(len(content), generator=generator(seed))
    plain = wct(Gaussian.of(content), Gaussian.of(style))
    found = wct(Gaussian.of(content[order]), Gaussian.of(style[order]))
    assert_maps_equal(found, AffineMap(plain.matrix[order][:, order], plain.source[order], plain.target[order]))


@given(any_pairs, seeds)
def test_eigenvector_signs_do_not_matter(pair: Pair, seed: int) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    plain, draw = torch.linalg.eigh, generator(seed)

    def flipped(matrix: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = plain(matrix)
        return values, vectors * (torch.randint(0, 2, values.shape, generator=draw) * 2 - 1)

    wanted = wct(content, style)
    with patch("torch.linalg.eigh", flipped):
        assert_maps_equal(wct(content, style), wanted, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("pixels", [1, 9])
def test_flat_content_is_moved_to_the_mean_of_the_style(dtype: torch.dtype, pixels: int) -> None:
    content = torch.tensor([0.3, -20.0, 1e5], dtype=dtype)[:, None].expand(3, pixels)
    style = Gaussian.of(normal((3, 30), 1))
    found = wct(Gaussian.of(content), style)
    assert torch.equal(found.matrix, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(found(content).double(), style.mean[:, None].expand(3, pixels), rtol=0, atol=1e-5)


def test_rounding_on_a_flat_content_is_not_blown_up() -> None:
    content = (50 * (1 + 1e-6 * normal((4, 60), 1))).float()
    style = Gaussian.of(normal((4, 60), 2))
    mapped = wct(Gaussian.of(content), style)(content).double()
    torch.testing.assert_close(mapped, style.mean[:, None].expand(4, 60), rtol=0, atol=1e-3)


def test_flat_style_makes_the_content_flat() -> None:
    content = normal((3, 30), 1)
    colour = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)[:, None]
    mapped = wct(Gaussian.of(content), Gaussian.of(colour))(content)
    torch.testing.assert_close(mapped, colour.expand(3, 30), rtol=0, atol=1e-12)


def test_two_colours_stay_two_colours() -> None:
    content = normal((5, 2), 1)[:, [0, 1, 1, 0, 1, 0, 0]]
    mapped = wct(Gaussian.of(content), Gaussian.of(normal((5, 40), 2)))(content)
    assert torch.isfinite(mapped).all()
    assert float((mapped[:, 0] - mapped[:, 3]).abs().max()) < 1e-9
    assert float((mapped[:, 0] - mapped[:, 1]).norm()) > 0.1


def test_directions_the_statistics_have_not_seen_pass_unchanged() -> None:
    content = torch.cat([normal((2, 20), 1), torch.zeros(1, 20, dtype=torch.float64)])
    found = wct(Gaussian.of(content), Gaussian.of(1e3 * normal((3, 20), 2)))
    unseen = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(found.matrix @ unseen, unseen)


@given(sound_pairs)
def test_alpha_0_gives_the_content_and_1_the_style(pair: Pair) -> None:
    content, style = pair
    full = wct(Gaussian.of(content), Gaussian.of(style))
    torch.testing.assert_close(
        full.toward_identity(0)(content), content, rtol=0, atol=1e-12 * float(content.abs().max())
    )
    assert torch.equal(full.toward_identity(1)(content), full(content))


def test_statistics_of_different_levels_are_refused() -> None:
    with pytest.raises(UsageError, match="the content has 2 channels and the style 3"):
        wct(Gaussian.of(torch.rand(2, 9)), Gaussian.of(torch.rand(3, 9)))


def test_non_finite_statistics_are_refused() -> None:
    sound = Gaussian.of(torch.rand(2, 9))
    broken = Gaussian(sound.n, sound.mean, sound.cov * torch.nan)
    for pair in ((broken, sound), (sound, broken)):
        with pytest.raises(NumericsError, match="the covariance: 4 of 4 numbers are not finite"):
            wct(*pair)


def test_transforms_are_found_by_name() -> None:
    assert transform("wct") is TRANSFORMS["wct"] is wct


@pytest.mark.parametrize("name", ["wtc", "WCT", "wct2"])
def test_a_misspelt_transform_gets_a_suggestion(name: str) -> None:
    with pytest.raises(UsageError, match=f"unknown transform '{name}'; did you mean 'wct'\\? known are wct"):
        transform(name)


def test_an_unknown_transform_gets_the_list() -> None:
    with pytest.raises(UsageError, match="unknown transform 'zzz'; known are wct"):
        transform("zzz")
