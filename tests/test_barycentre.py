"""The Gaussian between several agrees with closed forms, and singular covariances neither break nor stall it."""

from __future__ import annotations

from itertools import permutations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_rank, assert_same, channels, full_rank, generator, mixing, normal, seeds
from torch import Tensor

from wct.barycentre import barycentre
from wct.errors import NumericsError, UsageError
from wct.gaussian import Gaussian
from wct.maps import AffineMap, mix, normalised
from wct.transforms import ot

positive = st.floats(0.01, 100)


def several(kind: st.SearchStrategy[Tensor], least: int = 1) -> st.SearchStrategy[list[tuple[Gaussian, float]]]:
    """A few Gaussians with weights."""
    return st.lists(st.tuples(kind.map(Gaussian.of), positive), min_size=least, max_size=4)


def rotation(size: int, seed: int) -> Tensor:
    return torch.linalg.qr(normal((size, size), seed)).Q


def centred(cov: Tensor) -> Gaussian:
    return Gaussian(1, torch.zeros(len(cov), dtype=torch.float64), cov)


def rank_one(*direction: float) -> Gaussian:
    vector = torch.tensor(direction, dtype=torch.float64)
    return centred(torch.outer(vector, vector))


def moderate(size: int, seed: int, scale: float = 1.0) -> Gaussian:
    """A Gaussian whose covariance has a condition number of at most 25."""
    root = scale * mixing(size, seed)
    return Gaussian(1 + seed % 7, scale * normal((size,), seed), root @ root.mT)


def group(size: int, seed: int, count: int = 3) -> list[Gaussian]:
    return [moderate(size, seed + 10 * i, 1.0 + i) for i in range(count)]


@given(channels, seeds, st.lists(positive, min_size=1, max_size=4))
def test_covariances_that_commute_have_the_closed_form(size: int, seed: int, weights: list[float]) -> None:
    basis = rotation(size, seed)
    deviations = torch.rand((len(weights), size), generator=generator(seed), dtype=torch.float64)
    deviations *= torch.rand((len(weights), size), generator=generator(seed + 1)) > 0.2
    found = barycentre([centred((basis * own.square()) @ basis.mT) for own in deviations], weights)
    between = torch.tensor(normalised(weights, len(weights)), dtype=torch.float64) @ deviations
    wanted = (basis * between.square()) @ basis.mT
    torch.testing.assert_close(found.cov, wanted, rtol=0, atol=1e-6 * float(between.square().max()))


@given(channels, seeds, st.floats(0.01, 0.99))
def test_between_two_it_is_on_the_straight_line_of_optimal_transport(size: int, seed: int, share: float) -> None:
    one, other = group(size, seed, 2)
    wanted = one.push(ot(one, other).toward_identity(share))
    found = barycentre([one, other], [1 - share, share], tolerance=1e-9)
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-12 * float(wanted.mean.abs().max()))
    torch.testing.assert_close(found.cov, wanted.cov, rtol=0, atol=1e-6 * float(wanted.cov.abs().max()))


@given(channels, seeds, st.lists(positive, min_size=2, max_size=4))
def test_the_optimal_maps_to_all_of_them_have_the_identity_as_their_mean(
    size: int, seed: int, weights: list[float]
) -> None:
    parts = group(size, seed, len(weights))
    found = barycentre(parts, weights)
    mean = mix([ot(found, part) for part in parts], weights)
    assert isinstance(mean, AffineMap)
    torch.testing.assert_close(mean.matrix, torch.eye(size, dtype=torch.float64), rtol=0, atol=1e-4)
    torch.testing.assert_close(mean(found.mean[:, None])[:, 0], found.mean, rtol=1e-9, atol=1e-9)


@given(several(channels.flatmap(any_rank), 1))
def test_one_gaussian_is_itself_whatever_its_weight(parts: list[tuple[Gaussian, float]]) -> None:
    gaussian, weight = parts[0]
    assert barycentre([gaussian], [weight]) is gaussian
    assert barycentre([gaussian, gaussian], [0, weight]) is gaussian


@given(channels.flatmap(lambda size: several(full_rank(size), 2)), positive)
def test_order_and_scale_of_the_weights_do_not_matter(parts: list[tuple[Gaussian, float]], scale: float) -> None:
    gaussians, weights = zip(*parts, strict=True)
    wanted = barycentre(gaussians, weights)
    assert_same(barycentre(gaussians, [scale * weight for weight in weights]), wanted, rtol=1e-6)
    assert_same(barycentre(gaussians[::-1], weights[::-1]), wanted, rtol=1e-6)


def test_every_order_gives_the_same() -> None:
    parts = list(zip(group(5, 1), (1, 2, 3), strict=True))
    wanted = barycentre(*zip(*parts, strict=True))
    for order in permutations(parts):
        assert_same(barycentre(*zip(*order, strict=True)), wanted, rtol=1e-9)


def test_weight_0_leaves_out() -> None:
    one, other, third = group(5, 2)
    assert_same(barycentre([one, other, third], [2, 0, 1]), barycentre([one, third], [2, 1]), rtol=1e-12)


def test_mean_and_n_are_weighted_means() -> None:
    one, other = group(3, 4, 2)
    found = barycentre([one, other], [3, 1])
    torch.testing.assert_close(found.mean, 0.75 * one.mean + 0.25 * other.mean)
    assert found.n == pytest.approx(0.75 * one.n + 0.25 * other.n)


@given(channels, seeds)
def test_turning_all_turns_the_barycentre(size: int, seed: int) -> None:
    parts = group(size, seed)
    turn = AffineMap(rotation(size, seed + 5), normal((size,), seed + 6), normal((size,), seed + 7))
    found = barycentre([part.push(turn) for part in parts], [1, 2, 3])
    assert_same(found, barycentre(parts, [1, 2, 3]).push(turn), rtol=1e-5)


@given(channels.flatmap(lambda size: several(any_rank(size), 2)))
def test_whatever_the_ranks_it_is_a_covariance_of_no_more_than_the_mean_variance(
    parts: list[tuple[Gaussian, float]],
) -> None:
    gaussians, weights = zip(*parts, strict=True)
    found = barycentre(gaussians, weights, tolerance=1e-3)
    traces = [float(gaussian.cov.trace()) for gaussian in gaussians]
    share = normalised(weights, len(weights))
    rounding = max(float((1e-12 * gaussian.mean).square().sum()) for gaussian in gaussians)
    assert torch.isfinite(found.cov).all()
    assert float(torch.linalg.eigvalsh(found.cov)[0]) >= -1e-12 * max(traces) - rounding
    assert float(found.cov.trace()) <= 1.000001 * sum(s * t for s, t in zip(share, traces, strict=True)) + rounding


def test_flat_gaussians_are_flat_between_and_shrink_the_others() -> None:
    flat, sound = centred(torch.zeros(4, 4, dtype=torch.float64)), moderate(4, 1)
    assert not barycentre([flat, flat], [1, 2]).cov.any()
    torch.testing.assert_close(barycentre([flat, sound], [1, 1]).cov, sound.cov / 4, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_lines_at_an_angle_have_the_line_between_them(scale: float) -> None:
    found = barycentre([rank_one(scale, 0), rank_one(0.6 * scale, 0.8 * scale)], [1, 1])
    wanted = rank_one(0.8 * scale, 0.4 * scale).cov
    torch.testing.assert_close(found.cov, wanted, rtol=0, atol=1e-5 * scale**2)


def test_few_pixels_in_many_channels_settle() -> None:
    parts = [Gaussian.of(normal((40, pixels), pixels)) for pixels in (5, 20, 21, 80)]
    loose, fine = (barycentre(parts, [1, 1, 1, 1], tolerance=tolerance) for tolerance in (1e-6, 1e-7))
    torch.testing.assert_close(loose.cov, fine.cov, rtol=0, atol=1e-4 * float(fine.cov.abs().max()))


def test_too_few_iterations_are_an_error_not_a_guess() -> None:
    with pytest.raises(NumericsError, match=r"barycentre of 3 covariances: still changes by more than 1e-06 .* 2 iter"):
        barycentre(group(5, 1), [1, 1, 1], max_iterations=2)


def test_a_covariance_that_is_not_finite_is_an_error() -> None:
    broken = centred(torch.full((2, 2), torch.nan, dtype=torch.float64))
    with pytest.raises(NumericsError, match="not finite"):
        barycentre([broken, moderate(2, 1)], [1, 1])


def test_weights_and_channels_have_to_fit() -> None:
    one, other = moderate(2, 1), moderate(3, 1)
    with pytest.raises(UsageError, match="a barycentre needs equal numbers of channels, found 2, 3"):
        barycentre([one, other], [1, 1])
    for weights in ([1], [1, -1], [0, 0], [1, torch.nan]):
        with pytest.raises(UsageError, match="weight"):
            barycentre([one, one], weights)
