"""Gradients through statistics, roots, transforms and maps: they can sit inside a loss."""

from __future__ import annotations

import pytest
import torch
from strategies import generator
from torch import Tensor
from torch.autograd import gradcheck

from wct.gaussian import Gaussian
from wct.linalg import sqrt_pair
from wct.transforms import TRANSFORMS

AFFINE = [name for name in TRANSFORMS if name != "swap"]


def features(channels: int, pixels: int, seed: int) -> Tensor:
    return torch.randn(channels, pixels, generator=generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", AFFINE)
def test_transforms_have_the_gradients_of_finite_differences(name: str) -> None:
    content, style = features(4, 15, 1).requires_grad_(True), (2 * features(4, 20, 2) + 1).requires_grad_(True)

    def moved(x: Tensor, wanted: Tensor) -> Tensor:
        return TRANSFORMS[name](Gaussian.of(x), Gaussian.of(wanted)).toward_identity(0.7)(x)

    assert gradcheck(moved, (content, style))


def test_roots_have_them_where_eigenvalues_are_equal() -> None:
    def roots(matrix: Tensor) -> tuple[Tensor, Tensor]:
        found = sqrt_pair(matrix @ matrix.mT)
        return found.root, found.inverse

    turned = torch.linalg.qr(features(5, 5, 3)).Q
    for values in ([2.0] * 5, [1.0, 1.0, 2.0, 2.0, 3.0], [1.0, 1.0 + 1e-9, 2.0, 3.0, 4.0]):
        half = ((turned * torch.tensor(values, dtype=torch.float64)) @ turned.mT).requires_grad_(True)
        assert gradcheck(roots, (half,))


def test_dropped_directions_turn_with_the_others() -> None:
    """Along matrices of one rank, all three parts have a derivative."""
    tall = features(5, 3, 4).requires_grad_(True)

    def roots(x: Tensor) -> tuple[Tensor, ...]:
        return tuple(sqrt_pair(x @ x.mT))

    assert gradcheck(roots, (tall,))


@pytest.mark.parametrize("name", AFFINE)
@pytest.mark.parametrize("pixels", [1, 3, 200])
def test_float32_pictures_of_every_rank_have_finite_gradients(name: str, pixels: int) -> None:
    content = features(6, pixels, 5).float().requires_grad_(True)
    moved = TRANSFORMS[name](Gaussian.of(content), Gaussian.of(features(6, 30, 6).float()))(content)
    moved.square().sum().backward()
    assert content.grad is not None and bool(torch.isfinite(content.grad).all())


def test_a_picture_can_be_pulled_towards_a_style() -> None:
    """The optimal transport's cost, as a loss, falls until the statistics agree."""
    content = features(4, 50, 7).requires_grad_(True)
    style = Gaussian.of(3 * features(4, 60, 8) + 2)
    optimiser = torch.optim.Adam([content], lr=0.1)
    losses = []
    for _ in range(150):
        optimiser.zero_grad()
        loss = (TRANSFORMS["ot"](Gaussian.of(content), style)(content) - content).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]
    assert torch.allclose(Gaussian.of(content.detach()).mean, style.mean, atol=0.3)
