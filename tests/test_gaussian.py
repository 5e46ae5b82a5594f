"""Statistics that merge exactly, and maps that compose, mix and fade as an algebra should."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from unittest.mock import patch

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import any_rank, assert_same, channels, full_rank, generator, maps, normal, reference, scales, seeds
from torch import Tensor

from wct.devices import make_exact
from wct.errors import NumericsError, UsageError
from wct.gaussian import DECODED, ENCODED, Gaussian, joined, merge
from wct.maps import AffineMap, mix, normalised

pictures = channels.flatmap(any_rank)


# Gaussian.of


@given(pictures)
def test_mean_and_covariance_are_the_textbook_ones(pixels: Tensor) -> None:
    assert_same(Gaussian.of(pixels), Gaussian(pixels.shape[1], *reference(pixels)))


@given(channels.flatmap(full_rank), st.sampled_from([0.0, 1.0, 1e2, 1e4]))
def test_float32_keeps_five_digits_whatever_the_mean(pixels: Tensor, offset: float) -> None:
    single = (pixels + offset * pixels.abs().max()).float()
    mean, cov = reference(single)
    found = Gaussian.of(single)
    assert found.mean.dtype == found.cov.dtype == torch.float64
    rounding = torch.finfo(torch.float32).eps * float(mean.norm())
    assert float((found.cov - cov).norm()) <= 1e-5 * float(cov.norm()) + rounding**2
    assert float((found.mean - mean).norm()) <= 1e-5 * (float(cov.trace().sqrt()) + rounding)


@pytest.mark.parametrize(
    ("dtype", "offset"), [(torch.float16, 1e2), (torch.bfloat16, 1e2), (torch.float32, 1e2), (torch.float32, 1e6)]
)
def test_sums_are_finer_than_the_features(dtype: torch.dtype, offset: float) -> None:
    pixels = (offset + normal((4, 5000), seed=1)).to(dtype)
    mean, cov = reference(pixels)
    found = Gaussian.of(pixels)
    assert float((found.cov - cov).norm()) <= 1e-5 * float(cov.norm())
    torch.testing.assert_close(found.mean, mean, rtol=1e-7, atol=0)


def test_autocast_does_not_reach_statistics_or_maps() -> None:
    pixels = torch.rand(4, 8, 8, generator=generator(1))
    shear = AffineMap(normal((4, 4), 1), normal((4,), 2), normal((4,), 3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside, mapped = Gaussian.of(pixels), shear(pixels)
    assert torch.equal(inside.cov, Gaussian.of(pixels).cov)
    assert torch.equal(mapped, shear(pixels))


def test_every_layout_of_the_same_pixels_agrees() -> None:
    picture = normal((3, 4, 5), seed=2)
    wanted = Gaussian.of(picture)
    last = picture[None].contiguous(memory_format=torch.channels_last)
    for other in (picture[None], picture.flatten(1), last, picture.transpose(1, 2)):
        assert_same(Gaussian.of(other), wanted, rtol=1e-12)


@given(st.integers(1, 50))
def test_blocks_do_not_show(block: int) -> None:
    pixels, weights = 1e3 + normal((3, 50), seed=3), torch.arange(50) // 20
    with patch("wct.gaussian._BLOCK", block):
        plain, weighted = Gaussian.of(pixels), Gaussian.of(pixels, weights)
    assert_same(plain, Gaussian(50, *reference(pixels)))
    assert_same(weighted, Gaussian(40, *reference(pixels, weights)))


@given(pictures, seeds)
def test_pixel_order_does_not_matter(pixels: Tensor, seed: int) -> None:
    order = torch.randperm(pixels.shape[1], generator=generator(seed))
    assert_same(Gaussian.of(pixels[:, order]), Gaussian.of(pixels))


@given(pictures, seeds)
def test_channel_order_goes_through(pixels: Tensor, seed: int) -> None:
    order = torch.randperm(len(pixels), generator=generator(seed))
    whole = Gaussian.of(pixels)
    assert_same(Gaussian.of(pixels[order]), Gaussian(whole.n, whole.mean[order], whole.cov[order][:, order]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_pixel_and_a_flat_picture_have_no_variance(dtype: torch.dtype) -> None:
    pixel = torch.tensor([0.1, -3e5, 7e-5], dtype=dtype)[:, None, None]
    for flat in (pixel, pixel.expand(3, 4, 7)):
        found = Gaussian.of(flat)
        torch.testing.assert_close(found.mean, pixel.flatten().double(), rtol=1e-12, atol=0)
        assert float(found.std.max()) <= 1e-9 * float(pixel.abs().max())
        assert found.channels == 3


# weights


@given(pictures, seeds)
def test_a_whole_weight_is_a_repetition(pixels: Tensor, seed: int) -> None:
    weights = torch.randint(0, 4, (pixels.shape[1],), generator=generator(seed))
    weights[0] += 1
    assert_same(Gaussian.of(pixels, weights), Gaussian.of(pixels.repeat_interleave(weights, dim=1)))


@given(channels.flatmap(any_rank), st.sampled_from([1e-300, 1e-30, 0.5, 1e30]))
def test_scaling_all_weights_scales_only_n(pixels: Tensor, scale: float) -> None:
    weights = 1 + torch.arange(pixels.shape[1], dtype=torch.float64)
    plain = Gaussian.of(pixels, weights)
    assert_same(Gaussian.of(pixels, scale * weights), Gaussian(scale * plain.n, plain.mean, plain.cov))


def test_the_hidden_colour_of_a_transparent_pixel_stays_out() -> None:
    picture = torch.rand(3, 4, 4, generator=generator(4))
    visible = torch.ones(4, 4)
    visible[1:3, 2] = 0
    hidden = torch.where(visible > 0, picture, 1e7)
    wanted = Gaussian.of(picture[:, visible > 0])
    assert_same(Gaussian.of(hidden, visible), wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.zeros(2, 3), "all weights are 0: every pixel is transparent or masked out"),
        (torch.full((2, 3), -1.0), "the weight of a pixel is negative or not finite"),
        (torch.full((2, 3), torch.nan), "the weight of a pixel is negative or not finite"),
        (torch.full((2, 3), torch.inf), "the weight of a pixel is negative or not finite"),
        (torch.ones(3, 2), r"weights of shape \(3, 2\) do not fit features of shape \(4, 2, 3\)"),
        (torch.ones(6), r"weights of shape \(6,\) do not fit"),
    ],
)
def test_bad_weights_are_refused(weights: Tensor, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Gaussian.of(torch.rand(4, 2, 3), weights)


# what is not a picture


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4, 4), (3, 0, 4), (0, 4, 4), (1, 1, 3, 4, 4)])
def test_bad_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"statistics need float features of shape \(C, H, W\)"):
        Gaussian.of(torch.zeros(shape))


def test_integers_are_refused() -> None:
    with pytest.raises(UsageError, match=r"not torch\.uint8"):
        Gaussian.of(torch.zeros(3, 2, 2, dtype=torch.uint8))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_non_finite_features_are_refused(bad: float) -> None:
    features = torch.zeros(3, 2, 2)
    features[1, 0, 1] = bad
    with pytest.raises(NumericsError, match=r"the mean of the features: 1 of 3 numbers are not finite"):
        Gaussian.of(features)


@pytest.mark.parametrize("n", [0.0, -1.0, float("nan"), float("inf")])
def test_a_gaussian_needs_weight(n: float) -> None:
    with pytest.raises(UsageError, match="a finite weight n above 0"):
        Gaussian(n, torch.zeros(2, dtype=torch.float64), torch.zeros(2, 2, dtype=torch.float64))


def test_parts_that_do_not_fit_are_refused() -> None:
    mean, cov = torch.zeros(2, dtype=torch.float64), torch.zeros(3, 3, dtype=torch.float64)
    with pytest.raises(UsageError, match=r"a Gaussian needs a float64 matrix .* found torch\.float64 \(3, 3\)"):
        Gaussian(1, mean, cov)
    with pytest.raises(UsageError, match=r"an AffineMap needs .* torch\.float32 \(2, 2\)"):
        AffineMap(torch.eye(2), mean, mean)


def test_both_words_are_frozen() -> None:
    gaussian, same = Gaussian.of(torch.rand(2, 5)), AffineMap.identity(2)
    with pytest.raises(FrozenInstanceError):
        gaussian.n = 3.0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        same.source = same.target  # type: ignore[misc]


# merging


@given(pictures, seeds, st.integers(1, 6))
def test_any_partition_in_any_order_merges_to_the_whole(pixels: Tensor, seed: int, most: int) -> None:
    draw = generator(seed)
    owners = torch.randint(0, most, (pixels.shape[1],), generator=draw)
    parts = [Gaussian.of(pixels[:, owners == owner]) for owner in owners.unique()]
    order = torch.randperm(len(parts), generator=draw).tolist()
    assert_same(merge(parts[index] for index in order), Gaussian.of(pixels))


@given(st.integers(1, 5).flatmap(lambda size: st.tuples(*[any_rank(size)] * 3)))
def test_merging_is_associative_and_commutative(parts: tuple[Tensor, Tensor, Tensor]) -> None:
    a, b, c = (Gaussian.of(pixels) for pixels in parts)
    wanted = Gaussian.of(torch.cat(parts, dim=1))
    for found in (merge([a, b, c]), merge([merge([a, b]), c]), merge([a, merge([b, c])]), merge([c, b, a])):
        assert_same(found, wanted)


def test_soft_weights_split_a_picture_exactly() -> None:
    pixels, left = normal((4, 30), 5), torch.linspace(0, 1, 30, dtype=torch.float64)
    assert_same(merge([Gaussian.of(pixels, left), Gaussian.of(pixels, 1 - left)]), Gaussian.of(pixels))


def test_merging_nothing_or_misfits_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one Gaussian"):
        merge([])
    with pytest.raises(UsageError, match="merging needs equal numbers of channels, found 2, 3"):
        merge([Gaussian.of(torch.rand(2, 5)), Gaussian.of(torch.rand(3, 5))])


# AffineMap


@given(channels.flatmap(lambda size: st.tuples(maps(size), any_rank(size))))
def test_a_map_is_a_matrix_and_an_offset(pair: tuple[AffineMap, Tensor]) -> None:
    shear, pixels = pair
    wanted = shear.matrix @ pixels + shear.offset[:, None]
    torch.testing.assert_close(shear(pixels), wanted, rtol=1e-9, atol=1e-9 * float(1 + pixels.abs().max()))


def test_every_layout_is_mapped_alike() -> None:
    shear = AffineMap(normal((3, 3), 1), normal((3,), 2), normal((3,), 3))
    batch = normal((2, 3, 4, 5), 4)
    mapped = shear(batch)
    assert mapped.shape == batch.shape
    last = shear(batch.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, mapped)
    for one, wanted in zip(batch, mapped, strict=True):
        torch.testing.assert_close(shear(one), wanted)
        torch.testing.assert_close(shear(one.flatten(1)), wanted.flatten(1))


@given(st.integers(1, 40), st.sampled_from([1, 15, 16, 33]), st.sampled_from([0.0, 1e4]), seeds)
def test_a_map_without_gradients_is_the_same(count: int, size: int, offset: float, seed: int) -> None:
    shear = AffineMap(normal((size, size), seed), normal((size,), seed + 1) + offset, normal((size,), seed + 2))
    pixels = (normal((size, count), seed + 3) + offset).float()
    wanted = shear(pixels)
    with torch.inference_mode():
        torch.testing.assert_close(shear(pixels), wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_features_keep_their_dtype_and_lose_only_its_rounding(dtype: torch.dtype) -> None:
    shear = AffineMap(normal((20, 20), 1), normal((20,), 2), normal((20,), 3))
    pixels = normal((20, 40), 4).to(dtype)
    with torch.inference_mode():
        mapped = shear(pixels)
    assert mapped.dtype == dtype
    torch.testing.assert_close(mapped.double(), shear(pixels.double()), rtol=torch.finfo(dtype).eps, atol=1e-5)


@given(st.sampled_from([1.0, 1e3, 1e6]))
def test_a_large_mean_costs_a_map_no_digits(offset: float) -> None:
    shear = AffineMap(normal((4, 4), 1), normal((4,), 2) + offset, normal((4,), 3))
    pixels = (normal((4, 50), 4) + offset).float()
    torch.testing.assert_close(shear(pixels).double(), shear(pixels.double()), rtol=0, atol=2e-7 * max(offset, 10))


@given(channels.flatmap(lambda size: st.tuples(maps(size), any_rank(size))))
def test_pushing_statistics_equals_mapping_features(pair: tuple[AffineMap, Tensor]) -> None:
    shear, pixels = pair
    found, wanted = Gaussian.of(pixels).push(shear), Gaussian.of(shear(pixels))
    size = (1 + float(pixels.abs().max())) * (1 + float(shear.matrix.norm()))
    torch.testing.assert_close(found.mean, wanted.mean, rtol=0, atol=1e-10 * size)
    torch.testing.assert_close(found.cov, wanted.cov, rtol=0, atol=1e-10 * size**2)


@given(channels.flatmap(lambda size: st.tuples(maps(size), maps(size), any_rank(size))))
def test_composition_is_one_map_after_the_other(triple: tuple[AffineMap, AffineMap, Tensor]) -> None:
    second, first, pixels = triple
    wanted = second(first(pixels))
    torch.testing.assert_close((second @ first)(pixels), wanted, rtol=0, atol=1e-10 * float(1 + wanted.abs().max()))


@given(channels.flatmap(lambda size: st.tuples(maps(size), any_rank(size))), st.floats(0, 3))
def test_alpha_goes_from_the_identity_to_the_map_and_on(pair: tuple[AffineMap, Tensor], alpha: float) -> None:
    shear, pixels = pair
    wanted = (1 - alpha) * pixels + alpha * shear(pixels)
    size = float(1 + pixels.abs().max() + shear(pixels).abs().max())
    torch.testing.assert_close(shear.toward_identity(alpha)(pixels), wanted, rtol=0, atol=1e-10 * size)


def test_alpha_0_and_1_are_exact() -> None:
    shear = AffineMap(normal((4, 4), 1), normal((4,), 2), normal((4,), 3))
    none, full = shear.toward_identity(0), shear.toward_identity(1)
    assert torch.equal(none.matrix, torch.eye(4, dtype=torch.float64))
    assert not none.offset.any()
    assert torch.equal(full.matrix, shear.matrix)
    assert torch.equal(full.target, shear.target)


@pytest.mark.parametrize("alpha", [-0.1, float("nan"), float("inf")])
def test_bad_alpha_is_refused(alpha: float) -> None:
    with pytest.raises(UsageError, match=f"alpha is {alpha}"):
        AffineMap.identity(2).toward_identity(alpha)


@pytest.mark.parametrize("shape", [(4, 5, 5), (3, 4, 5, 5), (4, 9), (3,), (1, 1, 3, 5, 5)])
def test_features_of_another_width_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"a map of 3 channels does not fit features of shape \("):
        AffineMap.identity(3)(torch.zeros(shape))


# mixing


@st.composite
def recipes(draw: st.DrawFn) -> tuple[list[AffineMap], list[float], Tensor]:
    size = draw(st.integers(1, 5))
    shears = draw(st.lists(maps(size), min_size=1, max_size=4))
    weights = [draw(st.floats(1e-3, 10)) for _ in shears]
    return shears, weights, draw(any_rank(size))


def assert_maps_equal(found: AffineMap, wanted: AffineMap, atol: float = 1e-10) -> None:
    torch.testing.assert_close(found.matrix, wanted.matrix, rtol=0, atol=atol)
    torch.testing.assert_close(found.offset, wanted.offset, rtol=0, atol=atol)


@given(recipes())
def test_a_mixture_is_the_weighted_mean_of_the_results(recipe: tuple[list[AffineMap], list[float], Tensor]) -> None:
    shears, weights, pixels = recipe
    results = [shear(pixels) for shear in shears]
    wanted = sum(weight * result for weight, result in zip(weights, results, strict=True)) / sum(weights)
    size = 1 + max(float(result.abs().max()) for result in results) + float(pixels.abs().max())
    torch.testing.assert_close(mix(shears, weights)(pixels), wanted, rtol=0, atol=1e-10 * size)


@given(recipes(), scales)
def test_weights_are_free_of_order_scale_and_zeros(
    recipe: tuple[list[AffineMap], list[float], Tensor], scale: float
) -> None:
    shears, weights, _ = recipe
    wanted = mix(shears, weights)
    assert_maps_equal(mix(shears[::-1], weights[::-1]), wanted)
    assert_maps_equal(mix(shears, [scale * weight for weight in weights]), wanted)
    wild = AffineMap(1e9 * wanted.matrix, wanted.source, wanted.target)
    assert_maps_equal(mix([*shears, wild], [*weights, 0]), wanted, atol=0)


def test_one_map_alone_is_itself() -> None:
    shear = AffineMap(normal((3, 3), 1), normal((3,), 2), normal((3,), 3))
    assert_maps_equal(mix([shear], [7]), shear, atol=0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1], "1 weights for 2 things"),
        ([1, 2, 3], "3 weights for 2 things"),
        ([1, -1], "weight -1 is not a finite number of 0 or more"),
        ([float("nan"), 1], "weight nan is not"),
        ([1, float("inf")], "weight inf is not"),
        ([0, 0.0], "all weights are 0"),
    ],
)
def test_bad_mixing_weights_are_refused(weights: list[float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        mix([AffineMap.identity(2)] * 2, weights)


def test_mixing_maps_of_different_widths_is_refused() -> None:
    with pytest.raises(UsageError, match="mixing maps needs equal numbers of channels, found 2, 3"):
        mix([AffineMap.identity(2), AffineMap.identity(3)], [1, 1])


def test_extreme_weights_stay_finite() -> None:
    assert normalised([1e308, 1e308], 2) == [0.5, 0.5]
    assert normalised([5e-324, 0], 2) == [1, 0]


# what is flat


@given(st.floats(1e-6, 1.0), st.sampled_from([*ENCODED.values(), *DECODED.values()]), seeds)
def test_features_vary_by_more_than_a_share_of_their_mean_or_not(relative: float, share: float, seed: int) -> None:
    assume(abs(relative / share - 1) > 1e-6)
    pixels = 5 + torch.rand(3, 400, generator=generator(seed), dtype=torch.float64)
    found = Gaussian.of(pixels)
    size = relative * found.mean.norm() / found.cov.trace().sqrt()
    varied = Gaussian(found.n, found.mean, found.cov * size**2)
    assert varied.varies(share) == (relative > share)
    assert_same(varied.calmed(), Gaussian(found.n, found.mean, torch.zeros_like(found.cov)))


# devices


def test_statistics_for_mps_live_on_the_cpu() -> None:
    assert Gaussian.of(torch.rand(2, 5)).to("mps").cov.device == torch.device("cpu")
    assert AffineMap.identity(2).to("mps").matrix.device == torch.device("cpu")


def test_convolutions_on_cuda_are_exact_and_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = torch.backends.cudnn
    monkeypatch.setattr(flags, "allow_tf32", True)
    monkeypatch.setattr(flags, "deterministic", False)
    make_exact(torch.device("cpu"))
    assert flags.allow_tf32 and not flags.deterministic
    make_exact(torch.device("cuda"))
    assert not flags.allow_tf32 and flags.deterministic


def test_moving_moves_both_parts_and_keeps_what_is_there() -> None:
    here = Gaussian.of(torch.rand(3, 20, generator=generator(0)))
    assert here.to("cpu") is here
    there = here.to("meta")
    assert (there.n, there.mean.device.type, there.cov.device.type) == (20, "meta", "meta")
    assert (there.mean.shape, there.cov.shape) == ((3,), (3, 3))


@given(seeds, st.integers(1, 60), st.integers(1, 120))
def test_pixels_without_weight_may_as_well_not_be_there(seed: int, inside: int, more: int) -> None:
    features = normal((3, inside + more), seed)
    weights = torch.cat([torch.rand(inside, generator=generator(seed)) + 0.1, torch.zeros(more)])
    order = torch.randperm(inside + more, generator=generator(seed))
    assert_same(
        Gaussian.of(features[:, order], weights[order]), Gaussian.of(features[:, :inside], weights[:inside]), 1e-12
    )


def test_directions_carry_their_share_whatever_the_number_and_unit() -> None:
    one = Gaussian(5.0, torch.zeros(1).double(), torch.tensor([[0.25]]).double())
    assert [one.directions(share) for share in (0, 0.5, 1)] == [1, 1, 1]
    halves = Gaussian(5.0, torch.zeros(2).double(), torch.tensor([1e-9, 1e-9]).double().diag())
    assert [halves.directions(share) for share in (0.4, 0.6)] == [1, 2]
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match=f"^share of the variance is {share}; needs a number from 0 to 1$"):
            one.directions(share)


def test_regions_are_merged_each_with_its_own() -> None:
    a, b, c = (Gaussian.of(torch.rand(2, 9, generator=generator(seed))) for seed in range(3))
    assert joined([], [a, None]) == [a, None]
    first, second, third, fourth = joined([a, None, b, None], [b, c, None, None])
    assert first is not None
    assert_same(first, merge((a, b)))
    assert second is c and third is b and fourth is None
    with pytest.raises(ValueError, match="shorter"):
        joined([a, b], [c])


def test_messages_are_whole_lines() -> None:
    features = torch.rand(2, 3)
    for weights, line in (
        (torch.tensor([1.0, -1, 0]), "the weight of a pixel is negative or not finite; it has to be 0 or more"),
        (
            torch.zeros(3),
            "all weights are 0: every pixel is transparent or masked out, so there is nothing to measure",
        ),
    ):
        with pytest.raises(UsageError, match=f"^{line}$"):
            Gaussian.of(features, weights)
    with pytest.raises(UsageError, match=r"^merging needs at least one Gaussian, found none$"):
        merge(())
    with pytest.raises(NumericsError, match=r"^the covariance of the features: \d of 4 numbers are not finite"):
        Gaussian.of(features * 1e30)
