"""The content's fine structure comes back, without its colours, halos or more noise than it has."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import generator, seeds
from torch import Tensor

from wct.detail import restore_detail
from wct.errors import UsageError

sides = st.integers(1, 14)


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand((3, height, width), generator=generator(seed))


def grey(plane: Tensor) -> Tensor:
    return plane.expand(3, -1, -1).clone()


def step(at: int, low: float = 0.2, high: float = 0.8, size: int = 32) -> Tensor:
    """Dark on the left of column `at`, bright from there on."""
    return grey(torch.where(torch.arange(size) < at, low, high).expand(size, -1))


def luma(picture: Tensor) -> Tensor:
    return torch.tensordot(torch.tensor([0.299, 0.587, 0.114]), picture, dims=1)


@given(sides, sides, seeds, st.sampled_from([0.0, 0.4, 1.0]))
def test_any_size_gives_a_picture(height: int, width: int, seed: int, amount: float) -> None:
    result = noise(height, width, seed)
    found = restore_detail(result, noise(height, width, seed + 1), amount)
    assert found.shape == result.shape and found.dtype == torch.float32
    assert float(found.min()) >= 0 and float(found.max()) <= 1
    if amount == 0:
        assert torch.equal(found, result)


@given(sides, sides, seeds)
def test_a_grey_content_as_the_result_stays(height: int, width: int, seed: int) -> None:
    content = grey(noise(height, width, seed)[0])
    torch.testing.assert_close(restore_detail(content, content, 1), content, rtol=0, atol=1e-5)


def test_edges_fall_in_line_with_those_of_the_content() -> None:
    found = luma(restore_detail(step(19), step(16), 1))[16]
    assert int(found.diff().abs().argmax()) == 15


def test_an_edge_gets_no_halo() -> None:
    found = restore_detail(step(16, 0.3, 0.7), step(16), 1)
    assert float(found.min()) > 0.28 and float(found.max()) < 0.72


def test_texture_comes_back_without_its_colour() -> None:
    board = 0.5 + 0.04 * (torch.arange(32) + torch.arange(32)[:, None]).remainder(2).mul(2).sub(1)
    content = torch.stack([board, 1 - board, board])
    result = torch.tensor([0.7, 0.4, 0.2])[:, None, None].expand(3, 32, 32)
    added = restore_detail(result, content, 1) - result
    torch.testing.assert_close(added, luma(content - 0.5).expand(3, 32, 32), rtol=0, atol=1e-3)


def test_a_flat_sky_stays_free_of_noise() -> None:
    content = torch.tensor([0.5, 0.6, 0.8])[:, None, None].expand(3, 32, 32)
    found = restore_detail(0.4 + 0.2 * noise(32, 32), content, 1)
    assert float(found.std((1, 2)).max()) < 0.02


def test_the_amount_is_linear() -> None:
    result, content = 0.3 + 0.4 * noise(16, 16), 0.3 + 0.4 * noise(16, 16, 1)
    wanted = torch.lerp(result, restore_detail(result, content, 1), 0.25)
    torch.testing.assert_close(restore_detail(result, content, 0.25), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("amount", [-0.1, 1.1, float("nan")])
def test_an_amount_out_of_range_is_refused(amount: float) -> None:
    with pytest.raises(UsageError, match=r"detail is .*; it needs a number from 0"):
        restore_detail(noise(4, 4), noise(4, 4), amount)


def test_pictures_of_two_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"shape \(3, 4, 4\) and the content \(3, 4, 5\)"):
        restore_detail(noise(4, 4), noise(4, 5), 1)
