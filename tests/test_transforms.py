"""Every transform imposes what it says, whatever the ranks, and nothing is ever blown up."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_rank, channels, full_rank, generator, normal, scales, seeds
from torch import Tensor

from wct.errors import NumericsError, UsageError
from wct.gaussian import ROUNDING, Gaussian
from wct.linalg import RELATIVE_CUT
from wct.look import TRANSFORM_NAMES
from wct.maps import AffineMap
from wct.swap import PatchMap, Texture
from wct.transforms import TRANSFORMS, Transform, adain, color, mean, ot, swap, transform, wct, whiten

Pair = tuple[Tensor, Tensor]
sound_pairs = channels.flatmap(lambda size: st.tuples(full_rank(size), full_rank(size)))
any_pairs = channels.flatmap(lambda size: st.tuples(any_rank(size), any_rank(size)))

imposing = pytest.mark.parametrize("impose", [wct, ot])
affine = pytest.mark.parametrize("name", [name for name in TRANSFORMS if name != "swap"])


def size_of(gaussian: Gaussian) -> float:
    return float(gaussian.mean.abs().max() + gaussian.std.max())


def dropped(gaussian: Gaussian) -> float:
    """The most variance that the rank cut may leave as it is, in any direction."""
    top = float(torch.linalg.matrix_norm(gaussian.cov, 2))
    return max(RELATIVE_CUT * top, float((ROUNDING * gaussian.mean).square().sum()))


def cost(moved: AffineMap, content: Gaussian) -> float:
    """The mean squared distance by which a map moves features around their mean."""
    change = moved.matrix - torch.eye(content.channels, dtype=torch.float64)
    return float((change @ content.cov @ change.mT).trace())


def assert_maps_equal(found: AffineMap, wanted: AffineMap, rtol: float = 1e-6) -> None:
    atol = rtol * (1 + float(wanted.matrix.abs().max()))
    torch.testing.assert_close(found.matrix, wanted.matrix, rtol=0, atol=atol)
    torch.testing.assert_close(found.source, wanted.source, rtol=rtol, atol=0)
    torch.testing.assert_close(found.target, wanted.target, rtol=rtol, atol=0)


# wct and ot


@imposing
@given(sound_pairs)
def test_mapped_features_have_the_mean_and_covariance_of_the_style(impose: Transform, pair: Pair) -> None:
    content, style = pair
    wanted = Gaussian.of(style)
    found = Gaussian.of(impose(Gaussian.of(content), wanted)(content))
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-9 * size_of(wanted))
    torch.testing.assert_close(found.cov, wanted.cov, rtol=0, atol=1e-6 * float(wanted.cov.abs().max()))


@imposing
@given(sound_pairs)
def test_so_do_float32_features(impose: Transform, pair: Pair) -> None:
    content, style = (pixels.float() for pixels in pair)
    wanted = Gaussian.of(style)
    found = Gaussian.of(impose(Gaussian.of(content), wanted)(content))
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-3 * float(wanted.std.max()))
    torch.testing.assert_close(found.cov, wanted.cov, rtol=0, atol=1e-2 * float(wanted.cov.abs().max()))


@imposing
@given(any_pairs)
def test_whatever_the_ranks_the_mean_arrives_and_nothing_is_amplified(impose: Transform, pair: Pair) -> None:
    content, style = pair
    source, wanted = Gaussian.of(content), Gaussian.of(style)
    mapped = impose(source, wanted)(content)
    assert torch.isfinite(mapped).all()
    found = Gaussian.of(mapped)
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-8 * (size_of(wanted) + size_of(source)))
    left = source.channels * dropped(source)
    assert float(found.cov.trace()) <= 1.01 * (float(wanted.cov.trace()) + left) + (1e-12 * size_of(wanted)) ** 2


@imposing
@given(any_pairs)
def test_nor_are_float32_features(impose: Transform, pair: Pair) -> None:
    content, style = (pixels.float() for pixels in pair)
    source, wanted = Gaussian.of(content), Gaussian.of(style)
    found = Gaussian.of(impose(source, wanted)(content))
    left = source.channels * dropped(source)
    assert float(found.cov.trace()) <= 1.1 * (float(wanted.cov.trace()) + left) + (1e-5 * size_of(wanted)) ** 2


@pytest.mark.parametrize(
    ("name", "gain", "size"),
    # `ot` squares the covariance, so that the gain of the weakest directions, 1e-3 of the deviation, is less exact.
    [("wct", 1e-7, 1e-9), ("ot", 1e-3, 1e-6), ("adain", 1e-7, 1e-9), ("mean", 1e-7, 1e-9)],
)
@given(channels.flatmap(any_rank))
def test_style_equal_to_content_is_the_identity(name: str, gain: float, size: float, content: Tensor) -> None:
    gaussian = Gaussian.of(content)
    found = TRANSFORMS[name](gaussian, gaussian)
    torch.testing.assert_close(found.matrix, torch.eye(len(content), dtype=torch.float64), rtol=0, atol=gain)
    torch.testing.assert_close(found(content), content, rtol=0, atol=size * float(content.abs().max()) + 1e-300)


@affine
@given(sound_pairs, scales)
def test_the_unit_of_the_features_does_not_matter(name: str, pair: Pair, scale: float) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    larger = TRANSFORMS[name](Gaussian.of(scale * pair[0]), Gaussian.of(scale * pair[1]))
    plain = TRANSFORMS[name](content, style)
    assert_maps_equal(larger, AffineMap(plain.matrix, scale * plain.source, scale * plain.target))


@affine
@given(any_pairs, seeds)
def test_channel_order_does_not_matter(name: str, pair: Pair, seed: int) -> None:
    content, style = pair
    order = torch.randperm(len(content), generator=generator(seed))
    plain = TRANSFORMS[name](Gaussian.of(content), Gaussian.of(style))
    found = TRANSFORMS[name](Gaussian.of(content[order]), Gaussian.of(style[order]))
    assert_maps_equal(found, AffineMap(plain.matrix[order][:, order], plain.source[order], plain.target[order]))


@imposing
@given(any_pairs, seeds)
def test_eigenvector_signs_do_not_matter(impose: Transform, pair: Pair, seed: int) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    plain, draw = torch.linalg.eigh, generator(seed)

    def flipped(matrix: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = plain(matrix)
        return values, vectors * (torch.randint(0, 2, values.shape, generator=draw) * 2 - 1)

    wanted = impose(Gaussian.of(pair[0]), style)
    with patch("torch.linalg.eigh", flipped):
        assert_maps_equal(impose(content, Gaussian.of(pair[1])), wanted, rtol=1e-9)


@imposing
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("pixels", [1, 9])
def test_flat_content_is_moved_to_the_mean_of_the_style(impose: Transform, dtype: torch.dtype, pixels: int) -> None:
    content = torch.tensor([0.3, -20.0, 1e5], dtype=dtype)[:, None].expand(3, pixels)
    style = Gaussian.of(normal((3, 30), 1))
    found = impose(Gaussian.of(content), style)
    assert torch.equal(found.matrix, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(found(content).double(), style.mean[:, None].expand(3, pixels), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["wct", "ot", "adain", "color"])
def test_rounding_on_a_flat_content_is_not_blown_up(name: str) -> None:
    content = (50 * (1 + 1e-6 * normal((4, 60), 1))).float()
    style = Gaussian.of(normal((4, 60), 2))
    mapped = TRANSFORMS[name](Gaussian.of(content), style)(content).double()
    torch.testing.assert_close(mapped, style.mean[:, None].expand(4, 60), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["wct", "ot", "adain", "color"])
def test_flat_style_makes_the_content_flat(name: str) -> None:
    content = normal((3, 30), 1)
    colour = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)[:, None]
    mapped = TRANSFORMS[name](Gaussian.of(content), Gaussian.of(colour))(content)
    torch.testing.assert_close(mapped, colour.expand(3, 30), rtol=0, atol=1e-12)


@imposing
def test_two_colours_stay_two_colours(impose: Transform) -> None:
    content = normal((5, 2), 1)[:, [0, 1, 1, 0, 1, 0, 0]]
    mapped = impose(Gaussian.of(content), Gaussian.of(normal((5, 40), 2)))(content)
    assert torch.isfinite(mapped).all()
    assert float((mapped[:, 0] - mapped[:, 3]).abs().max()) < 1e-9
    assert float((mapped[:, 0] - mapped[:, 1]).norm()) > 0.1


@imposing
def test_directions_the_statistics_have_not_seen_pass_unchanged(impose: Transform) -> None:
    content = torch.cat([normal((2, 20), 1), torch.zeros(1, 20, dtype=torch.float64)])
    found = impose(Gaussian.of(content), Gaussian.of(1e3 * normal((3, 20), 2)))
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


@given(sound_pairs)
def test_optimal_transport_is_symmetric_without_reflections_and_moves_features_least(pair: Pair) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    found, other = ot(content, style), wct(content, style)
    size = float(found.matrix.abs().max())
    torch.testing.assert_close(found.matrix, found.matrix.mT, rtol=0, atol=1e-9 * size)
    assert float(torch.linalg.eigvalsh(found.matrix)[0]) >= -1e-9 * size
    assert cost(found, content) <= cost(other, content) * (1 + 1e-9) + 1e-9 * float(style.cov.trace())


def test_optimal_transport_of_independent_channels_scales_them() -> None:
    content, style = (
        Gaussian(1, torch.zeros(3).double(), torch.tensor(v).double().diag()) for v in ([1, 4, 9], [4, 4, 1])
    )
    torch.testing.assert_close(ot(content, style).matrix, torch.tensor([2, 1, 1 / 3], dtype=torch.float64).diag())


# adain, mean, whiten, color


@given(sound_pairs)
def test_adain_gives_every_channel_the_mean_and_deviation_of_the_style(pair: Pair) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    change = adain(content, style)
    found = Gaussian.of(change(pair[0]))
    torch.testing.assert_close(found.mean, style.mean, rtol=0, atol=1e-9 * size_of(style))
    torch.testing.assert_close(found.std, style.std, rtol=1e-6, atol=0)
    assert torch.equal(change.matrix, change.matrix.diagonal().diag())


@given(any_pairs)
def test_mean_moves_and_does_nothing_else(pair: Pair) -> None:
    content, style = pair
    moved = mean(Gaussian.of(content), Gaussian.of(style))(content)
    wanted = content + (Gaussian.of(style).mean - Gaussian.of(content).mean)[:, None]
    torch.testing.assert_close(moved, wanted, rtol=0, atol=1e-12 * float(content.abs().max() + wanted.abs().max()))


@given(sound_pairs)
def test_whitening_alone_leaves_the_average_variance_in_every_direction(pair: Pair) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    found = content.push(whiten(content, style))
    average = content.cov.trace() / content.channels
    torch.testing.assert_close(found.mean, content.mean)
    torch.testing.assert_close(found.cov / average, torch.eye(content.channels, dtype=torch.float64), rtol=0, atol=1e-6)


@given(sound_pairs)
def test_coloring_alone_pushes_scaled_deviations_through_the_root_of_the_style(pair: Pair) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    found = content.push(color(content, style))
    unit = content.cov / (content.cov.trace() / content.channels)
    wanted = style.root @ unit @ style.root
    torch.testing.assert_close(found.mean, style.mean)
    torch.testing.assert_close(found.cov, wanted, rtol=0, atol=1e-6 * float(wanted.abs().max()))


# all by name


@pytest.mark.parametrize("name", TRANSFORMS)
@given(any_pairs)
def test_every_transform_of_any_pictures_is_finite(name: str, pair: Pair) -> None:
    content, style = (pixels[:, None, :] for pixels in pair)
    change = transform(name)(Gaussian.of(content), Texture.of(style))
    assert change.channels == len(content)
    mapped = change(content)
    assert mapped.shape == content.shape and torch.isfinite(mapped).all()
    assert torch.isfinite(change.toward_identity(0.5)(content)).all()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_statistics_of_different_levels_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="the content has 2 channels and the style 3"):
        TRANSFORMS[name](Gaussian.of(torch.rand(2, 9)), Gaussian.of(torch.rand(3, 9)))


@imposing
def test_non_finite_statistics_are_refused(impose: Transform) -> None:
    sound = Gaussian.of(torch.rand(2, 9))
    broken = Gaussian(sound.n, sound.mean, sound.cov * torch.nan)
    for pair in ((broken, sound), (sound, broken)):
        with pytest.raises(NumericsError, match="the covariance: 4 of 4 numbers are not finite"):
            impose(*pair)


def test_transforms_are_found_by_name() -> None:
    assert transform("wct") is TRANSFORMS["wct"] is wct
    assert tuple(TRANSFORMS) == TRANSFORM_NAMES


def test_swap_needs_patches_and_is_wct_where_there_are_none() -> None:
    features = normal((3, 5, 6), 1)
    content, style = Gaussian.of(features), Texture.of(2 * features)
    assert isinstance(swap(content, style), PatchMap)
    assert_maps_equal(swap(content, Gaussian.of(2 * features)), wct(content, style), rtol=1e-12)


@pytest.mark.parametrize("name", ["wtc", "WCT", "wct2"])
def test_a_misspelt_transform_gets_a_suggestion(name: str) -> None:
    with pytest.raises(UsageError, match=f"unknown transform '{name}'; did you mean 'wct'\\? known are adain, "):
        transform(name)


def test_an_unknown_transform_gets_the_list() -> None:
    with pytest.raises(UsageError, match="unknown transform 'zzz'; known are adain, color, mean, ot, "):
        transform("zzz")


# rank


@affine
@given(sound_pairs, seeds)
def test_a_rank_transfers_the_leading_directions_of_the_style_alone(name: str, pair: Pair, seed: int) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    rank = seed % content.channels
    whole, part = transform(name)(content, style)(pair[0]), transform(name, rank)(content, style)(pair[0])
    vectors = torch.linalg.eigh(style.cov).eigenvectors
    left, kept = vectors[:, : content.channels - rank].mT, vectors[:, content.channels - rank :].mT
    size = size_of(content) + size_of(style) + float(whole.abs().max())
    torch.testing.assert_close(left @ part, left @ pair[0], rtol=0, atol=1e-9 * size)
    torch.testing.assert_close(kept @ part, kept @ whole, rtol=0, atol=1e-9 * size)


@affine
@given(any_pairs)
def test_rank_0_is_the_identity_and_every_direction_is_the_whole_map(name: str, pair: Pair) -> None:
    content, style = (Gaussian.of(pixels) for pixels in pair)
    nothing, whole = transform(name, 0)(content, style), transform(name)(content, style)
    assert_maps_equal(nothing, AffineMap(torch.eye(len(pair[0])).double(), content.mean, content.mean), rtol=0)
    for rank in (content.channels, content.channels + 7):
        assert_maps_equal(transform(name, rank)(content, style), whole, rtol=0)


@pytest.mark.parametrize("rank", [-1, 2.5])
def test_a_rank_that_counts_nothing_is_refused(rank: int) -> None:
    with pytest.raises(UsageError, match=f"rank is {rank}; it needs a whole number of 0 or more"):
        transform("wct", rank)


def test_patches_have_no_rank() -> None:
    features = normal((3, 5, 6), 1)
    with pytest.raises(UsageError, match="transform 'swap' matches patches, so it has no rank; leave the rank out"):
        transform("swap", 2)(Gaussian.of(features), Texture.of(features))


def test_whitening_and_coloring_alone_leave_the_rest_as_it_is() -> None:
    """Directions without variance pass; a flat content is moved, and nothing of it is scaled."""
    line = Gaussian.of(torch.tensor([[1.0], [0.0]]).double() @ normal((1, 40), 0))
    assert torch.equal(whiten(line, line).matrix[1], torch.tensor([0.0, 1.0]).double())
    flat, style = Gaussian.of(torch.ones(2, 9)), Gaussian.of(torch.rand(2, 40, generator=generator(0)))
    assert not color(flat, style).matrix.any()
    assert torch.equal(whiten(flat, style).matrix, torch.eye(2).double())
