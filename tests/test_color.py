"""Whose colours: the content's arrive, what sRGB lacks is not asked for, and strength 0 changes nothing."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import generator, seeds
from torch import Tensor

from wct.color import _oklab, lightness, luminance_only, recolored
from wct.errors import UsageError
from wct.gaussian import Gaussian

CORNERS = list(product((0, 1, 254, 255), repeat=3))
byte = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 254, 255]))
colours = st.lists(st.tuples(byte, byte, byte), min_size=1, max_size=20)
strengths = st.sampled_from([0.0, 0.25, 1.0])
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))


def picture(size: tuple[int, int], seed: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    return low + (high - low) * torch.rand((3, *size), generator=generator(seed))


def row(pixels: list[tuple[int, int, int]], count: int) -> Tensor:
    """The colours, repeated, as a picture (3, 1, count)."""
    return torch.tensor([pixels[i % len(pixels)] for i in range(count)]).T[:, None] / 255


def grey(values: Tensor) -> Tensor:
    return values[None, None].expand(3, 1, -1)


def chroma_off(found: Tensor, content: Tensor) -> Tensor:
    """How far Oklab's a and b are from the content's at each pixel, in 1/255: grey levels."""
    return 255 * (_oklab(found) - _oklab(content))[1:].abs().amax(0)


@given(seeds, sizes, sizes)
def test_a_recoloured_style_has_the_mean_and_covariance_of_the_content(
    seed: int, other: tuple[int, int], size: tuple[int, int]
) -> None:
    style, content = picture((5, 4 + other[0]), seed, 0.1), picture(size, seed + 1, 0.45, 0.55)
    wanted = Gaussian.of(content)
    found = Gaussian.of(recolored(style, wanted))
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-4)
    torch.testing.assert_close(found.cov, wanted.cov, rtol=0, atol=1e-5)


@given(seeds, sizes, sizes, strengths)
def test_recoloured_pixels_stay_in_range(
    seed: int, size: tuple[int, int], other: tuple[int, int], strength: float
) -> None:
    style = picture(size, seed)
    found = recolored(style, Gaussian.of(picture(other, seed + 1)), strength)
    assert found.shape == style.shape and found.dtype == torch.float32
    assert float(found.min()) >= 0 and float(found.max()) <= 1
    if strength == 0:
        torch.testing.assert_close(found, style, rtol=0, atol=1e-6)


def test_a_grey_content_makes_the_style_grey() -> None:
    found = recolored(picture((8, 8), 1), Gaussian.of(grey(torch.linspace(0.3, 0.6, 20))))
    torch.testing.assert_close(found, found[:1].expand(3, 8, 8), rtol=0, atol=1e-5)


def test_half_recoloured_lies_half_way() -> None:
    style, content = picture((6, 6), 1, 0.3, 0.7), Gaussian.of(picture((6, 6), 2, 0.4, 0.6))
    half = recolored(style, content, 0.5)
    torch.testing.assert_close(half, (style + recolored(style, content)) / 2, rtol=0, atol=1e-6)


def test_recolouring_leaves_out_pixels_without_weight() -> None:
    style, content, weights = picture((6, 6), 1, 0.3, 0.7), Gaussian.of(picture((6, 6), 2, 0.4, 0.6)), torch.ones(6, 6)
    weights[:2] = 0
    plain = recolored(style, content, weights=weights)
    style[:, :2] = 1
    found = recolored(style, content, weights=weights)
    torch.testing.assert_close(found[:, 2:], plain[:, 2:], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1, 1, 1), (1, 0, 0)),
        ((1, 0, 0), (0.627955, 0.224863, 0.125846)),
        ((0, 1, 0), (0.866440, -0.233888, 0.179498)),
        ((0, 0, 1), (0.452014, -0.032457, -0.311528)),
    ],
)
def test_oklab_is_ottossons(rgb: tuple[float, ...], lab: tuple[float, ...]) -> None:
    found = _oklab(torch.tensor(rgb, dtype=torch.float64))
    torch.testing.assert_close(found, torch.tensor(lab, dtype=torch.float64), rtol=0, atol=2e-5)


@given(colours, colours)
@example(CORNERS, CORNERS[::-1])
@example(CORNERS, [(0, 0, 0)])
@example(CORNERS, [(255, 255, 255)])
def test_the_chroma_is_the_contents(result: list[tuple[int, int, int]], content: list[tuple[int, int, int]]) -> None:
    own = row(content, max(len(result), len(content)))
    found = luminance_only(row(result, own.shape[2]), own)
    assert float(chroma_off(found, own).max()) < 0.05
    # 8 bits hold no finer colours next to black: the nearest ones there are up to 5 grey levels of chroma apart.
    eight = (found * 255).round() / 255
    visible = _oklab(found)[0] > 0.1
    assert not visible.any() or float(chroma_off(eight, own)[visible].max()) < 2


@given(colours, colours)
@example(CORNERS, CORNERS[::-1])
def test_lightness_goes_as_far_toward_the_results_as_srgb_allows(
    result: list[tuple[int, int, int]], content: list[tuple[int, int, int]]
) -> None:
    own = row(content, max(len(result), len(content)))
    made = row(result, own.shape[2])
    start, shift = _oklab(own)[0], float(_oklab(own)[0].mean() - _oklab(made)[0].mean())
    found, wanted = _oklab(luminance_only(made, own, shift=shift))[0], _oklab(made)[0] + shift
    assert (torch.minimum(start, wanted) - 1e-5 <= found).all() and (found <= torch.maximum(start, wanted) + 1e-5).all()
    for found_one, wanted_one, colour in zip(found[0], wanted[0], own[:, 0].T, strict=True):
        if (colour == colour[0]).all():
            assert abs(float(found_one) - min(max(float(wanted_one), 0), 1)) < 1e-3


def test_the_shift_is_added_to_the_lightness() -> None:
    made, own = grey(torch.linspace(0.6, 0.9, 30)), grey(torch.linspace(0.2, 0.5, 30))
    shift = float(lightness(own).mean() - lightness(made).mean())
    assert shift < -0.2
    torch.testing.assert_close(
        lightness(luminance_only(made, own, shift=shift)), lightness(made) + shift, rtol=0, atol=1e-6
    )


@given(seeds, sizes, strengths)
def test_a_result_equal_to_the_content_stays(seed: int, size: tuple[int, int], strength: float) -> None:
    content = picture(size, seed)
    torch.testing.assert_close(luminance_only(content, content, strength), content, rtol=0, atol=1e-6)


def test_strength_is_linear_in_oklab() -> None:
    made, own = picture((5, 5), 1, 0.4, 0.6), picture((5, 5), 2, 0.4, 0.6)
    assert torch.equal(luminance_only(made, own, 0), made)
    wanted = torch.lerp(_oklab(made), _oklab(luminance_only(made, own)), 0.3)
    torch.testing.assert_close(_oklab(luminance_only(made, own, 0.3)), wanted, rtol=0, atol=1e-5)


@given(colours, colours, st.floats(0, 1))
def test_any_strength_gives_a_picture(
    result: list[tuple[int, int, int]], content: list[tuple[int, int, int]], strength: float
) -> None:
    own = row(content, max(len(result), len(content)))
    found = luminance_only(row(result, own.shape[2]), own, strength)
    assert found.shape == own.shape and found.dtype == torch.float32
    assert float(found.min()) >= 0 and float(found.max()) <= 1


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    some, other = picture((2, 2), 1), picture((2, 2), 2)
    for change in (
        lambda: recolored(some, Gaussian.of(other), strength),
        lambda: luminance_only(some, other, strength),
    ):
        with pytest.raises(UsageError, match=r"color strength is .*; it needs a number from 0 .* to 1"):
            change()


def test_pictures_of_two_sizes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"shape \(3, 2, 2\) and the content \(3, 2, 3\)"):
        luminance_only(picture((2, 2), 1), picture((2, 3), 2))
