"""Guarded square roots: what they are, what they drop, and what they survive."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_rank, channels, full_rank, generator, scales, seeds
from torch import Tensor

from wct.errors import NumericsError
from wct.gaussian import Gaussian
from wct.linalg import RELATIVE_CUT, Roots, at, cholesky, exact_device, finite, sqrt_pair
from wct.polar import modulus, polar

covariances = channels.flatmap(full_rank).map(lambda pixels: Gaussian.of(pixels).cov)
any_covariances = channels.flatmap(any_rank).map(lambda pixels: pixels @ pixels.T / pixels.shape[1])


def assert_roots_equal(found: Roots, wanted: Roots, rtol: float = 1e-8) -> None:
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=rtol * float(other.abs().max()) + 1e-300)


@given(covariances)
def test_roots_invert_and_square_to_the_matrix(cov: Tensor) -> None:
    roots = sqrt_pair(cov)
    top = float(cov.abs().max())
    identity = torch.eye(len(cov), dtype=torch.float64)
    torch.testing.assert_close(roots.root @ roots.root, cov, rtol=0, atol=1e-10 * top)
    torch.testing.assert_close(roots.inverse @ cov @ roots.inverse, identity, rtol=0, atol=1e-8)
    assert not roots.rest.any()


@given(any_covariances)
def test_dropped_and_retained_subspaces_make_up_the_whole(cov: Tensor) -> None:
    roots = sqrt_pair(cov)
    top = float(torch.linalg.matrix_norm(cov, 2))
    identity = torch.eye(len(cov), dtype=torch.float64)
    torch.testing.assert_close(roots.inverse @ roots.root + roots.rest, identity, rtol=0, atol=1e-8)
    torch.testing.assert_close(roots.rest @ roots.rest, roots.rest, rtol=0, atol=1e-8)
    assert float(torch.linalg.matrix_norm(roots.rest @ cov @ roots.rest, 2)) <= 2 * RELATIVE_CUT * top
    if top > 0:
        assert float(torch.linalg.matrix_norm(roots.inverse, 2)) <= 1.01 * (RELATIVE_CUT * top) ** -0.5


@given(covariances, scales)
def test_the_cut_does_not_depend_on_the_scale(cov: Tensor, scale: float) -> None:
    roots = sqrt_pair(cov)
    assert_roots_equal(sqrt_pair(scale**2 * cov), Roots(scale * roots.root, roots.inverse / scale, roots.rest))


@given(any_covariances, seeds)
def test_channel_order_does_not_matter(cov: Tensor, seed: int) -> None:
    order = torch.randperm(len(cov), generator=generator(seed))
    roots = sqrt_pair(cov)
    permuted = Roots(*(part[order][:, order] for part in roots))
    assert_roots_equal(sqrt_pair(cov[order][:, order]), permuted, rtol=1e-6)


@given(any_covariances, seeds)
def test_eigenvector_signs_do_not_matter(cov: Tensor, seed: int) -> None:
    plain = torch.linalg.eigh

    def flipped(matrix: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = plain(matrix)
        return values, vectors * (torch.randint(0, 2, values.shape, generator=generator(seed)) * 2 - 1)

    wanted = sqrt_pair(cov)
    with patch("torch.linalg.eigh", flipped):
        assert_roots_equal(sqrt_pair(cov), wanted, rtol=1e-12)


def test_small_and_negative_eigenvalues_are_dropped() -> None:
    roots = sqrt_pair(torch.tensor([4.0, 4e-4, 4e-6, -4e-6]).diag())
    torch.testing.assert_close(roots.root, torch.tensor([2.0, 2e-2, 0, 0], dtype=torch.float64).diag())
    torch.testing.assert_close(roots.inverse, torch.tensor([0.5, 50, 0, 0], dtype=torch.float64).diag())
    torch.testing.assert_close(roots.rest, torch.tensor([0.0, 0, 1, 1], dtype=torch.float64).diag())


def test_the_floor_drops_too() -> None:
    roots = sqrt_pair(torch.tensor([4.0, 1.0]).diag(), floor=1.0)
    torch.testing.assert_close(roots.rest, torch.tensor([0.0, 1.0], dtype=torch.float64).diag())


def test_zero_matrix_keeps_nothing() -> None:
    roots = sqrt_pair(torch.zeros(5, 5))
    assert not roots.root.any()
    assert not roots.inverse.any()
    assert torch.equal(roots.rest, torch.eye(5, dtype=torch.float64))


def test_zero_matrix_never_reaches_the_solver() -> None:
    plain = torch.linalg.eigh

    def strict(matrix: Tensor) -> tuple[Tensor, Tensor]:
        assert matrix.any(-1).all()
        return plain(matrix)

    with patch("torch.linalg.eigh", strict):
        among = torch.stack((torch.eye(3), torch.zeros(3, 3), torch.eye(3)))
        assert [round(float(rest.trace())) for rest in sqrt_pair(among).rest] == [0, 3, 0]


@given(st.lists(any_rank(4), min_size=1, max_size=4))
def test_a_batch_equals_its_members(pictures: list[Tensor]) -> None:
    covs = [Gaussian.of(pixels).cov for pixels in pictures] + [torch.zeros(4, 4, dtype=torch.float64)]
    batch = sqrt_pair(torch.stack(covs).reshape(1, -1, 4, 4))
    for index, cov in enumerate(covs):
        assert_roots_equal(Roots(*(part[0, index] for part in batch)), sqrt_pair(cov), rtol=1e-6)


def test_both_triangles_of_a_rounded_float32_matrix_count() -> None:
    skewed = torch.tensor([[2.0, 1.0], [1.5, 2.0]])
    roots, mirrored = sqrt_pair(skewed), sqrt_pair(skewed.T)
    assert {part.dtype for part in roots} == {torch.float64}
    torch.testing.assert_close(roots.root @ roots.root, torch.tensor([[2, 1.25], [1.25, 2]], dtype=torch.float64))
    assert_roots_equal(mirrored, roots)


def no_convergence(*_: object, **__: object) -> tuple[Tensor, Tensor]:
    raise torch.linalg.LinAlgError("did not converge")


def not_a_number(matrix: Tensor) -> tuple[Tensor, Tensor]:
    return matrix[..., 0] * torch.nan, matrix * torch.nan


def no_vectors(matrix: Tensor) -> tuple[Tensor, Tensor]:
    return matrix[..., 0], matrix * torch.nan


@pytest.mark.parametrize("broken", [no_convergence, not_a_number, no_vectors])
def test_a_failing_solver_is_replaced(broken: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
    covs = torch.stack([Gaussian.of(torch.rand(4, 30, generator=generator(seed))).cov for seed in range(3)])
    wanted = sqrt_pair(covs)
    with patch("torch.linalg.eigh", broken):
        assert_roots_equal(sqrt_pair(covs), wanted)


def test_a_solver_that_works_is_the_only_one() -> None:
    with patch("scipy.linalg.eigh", no_convergence):
        assert sqrt_pair(torch.eye(3)).root.diagonal().allclose(torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
@pytest.mark.parametrize("failing", [[], ["evr"]])
def test_the_last_resorts_are_asked_in_their_order(shape: tuple[int, ...], failing: list[str]) -> None:
    pixels = torch.rand(*shape, 4, 30, generator=generator(1)).double()
    covs, asked, plain = pixels @ pixels.mT, [], scipy.linalg.eigh

    def solve(matrix: Any, driver: str) -> Any:
        asked.append(driver)
        if driver in failing:
            raise scipy.linalg.LinAlgError("did not converge")
        return plain(matrix, driver=driver)

    wanted = sqrt_pair(covs)
    with patch("torch.linalg.eigh", no_convergence), patch("scipy.linalg.eigh", solve):
        found = sqrt_pair(covs)
    assert_roots_equal(found, wanted)
    assert found.root.shape == covs.shape
    assert asked == ["evr", "ev"][: len(failing) + 1] * max(1, math.prod(shape))


def test_when_every_solver_fails_the_error_says_so() -> None:
    def fails(*_: object, **__: object) -> None:
        raise scipy.linalg.LinAlgError("did not converge")

    with (
        patch("torch.linalg.eigh", no_convergence),
        patch("scipy.linalg.eigh", fails),
        pytest.raises(NumericsError, match=r"no eigenvalue solver converges on this 3x3 matrix"),
    ):
        sqrt_pair(torch.eye(3))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_non_finite_input_names_level_and_stage(bad: float) -> None:
    matrix = torch.eye(3)
    matrix[1, 2] = bad
    with pytest.raises(NumericsError, match=r"^relu4_1, transform: the covariance: 1 of 9 numbers are not finite"):  # noqa: SIM117
        with at("relu4_1", "transform"):
            sqrt_pair(matrix)


def test_finite_returns_what_it_is_given() -> None:
    tensor = torch.rand(3)
    assert finite(tensor, "a tensor") is tensor


@pytest.mark.parametrize("shape", [(0,), (2, 0, 3), (100,), (1, 4, 5, 5)])
def test_what_only_adds_up_to_more_than_its_dtype_holds_is_finite(shape: tuple[int, ...]) -> None:
    tensor = torch.full(shape, 6e4, dtype=torch.float16)
    assert finite(tensor, "a tensor") is tensor


def test_a_single_number_has_to_be_finite() -> None:
    with pytest.raises(NumericsError, match="1 of 1 numbers"):
        finite(torch.tensor([torch.inf]), "a tensor")


@pytest.mark.parametrize(("device", "home"), [("cpu", "cpu"), ("mps", "cpu"), ("cuda:1", "cuda:1")])
def test_float64_home_of_a_device(device: str, home: str) -> None:
    assert exact_device(device) == torch.device(home)


@given(any_covariances)
def test_a_cholesky_factor_is_of_what_drops_nothing(cov: Tensor) -> None:
    lower = cholesky(cov)
    assert lower is None or not sqrt_pair(cov).rest.any()
    if lower is not None:
        torch.testing.assert_close(lower @ lower.mT, cov, rtol=0, atol=1e-10 * float(cov.abs().max()))


@given(covariances)
def test_it_is_found_where_all_directions_vary_alike(cov: Tensor) -> None:
    assert cholesky(cov) is not None
    assert cholesky(cov, floor=1.01 * float(torch.linalg.eigvalsh(cov)[0])) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_there_is_none_of_what_is_not_finite(bad: float) -> None:
    assert cholesky(torch.tensor([[1.0, 0.0], [0.0, bad]]).double()) is None


# the modulus


@given(st.integers(1, 24), st.integers(0, 5), scales, seeds)
def test_the_polar_factor_gives_the_modulus_that_eigenvalues_give(
    size: int, zeros: int, scale: float, seed: int
) -> None:
    random = generator(seed)
    u, v = (torch.linalg.qr(torch.randn(size, size, generator=random, dtype=torch.float64))[0] for _ in range(2))
    values = scale * 10 ** (-5.5 * torch.rand(size, generator=random, dtype=torch.float64))
    values[: min(zeros, size)] = 0
    matrix = u @ torch.diag(values) @ v.mT
    found, known = polar(matrix)
    assert known
    wanted = v @ torch.diag(values) @ v.mT
    top = float(values.max())
    torch.testing.assert_close(found.mT @ matrix, wanted, rtol=0, atol=1e-9 * top + 1e-300)
    torch.testing.assert_close(modulus(matrix), wanted, rtol=0, atol=1e-6 * top + 1e-300)


def test_singular_values_too_small_for_the_polar_factor_are_noticed() -> None:
    assert polar(torch.diag(torch.tensor([1.0, 0.5, 1e-6], dtype=torch.float64)))[1]
    assert not polar(torch.diag(torch.tensor([1.0, 0.5, 1e-8], dtype=torch.float64)))[1]
