"""Optimising the pixels: the loss falls, what it is made of is right, and whatever happens a picture is left."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import generator

from wct.color import lightness
from wct.errors import ModelError, NumericsError, UsageError
from wct.gaussian import Gaussian
from wct.images import Picture
from wct.methods import gatys as module
from wct.methods.gatys import gatys, scales
from wct.methods.perceptual import content_loss, features, gram, gram_of, style_loss, total_variation
from wct.methods.stopped import Stopped
from wct.models import Model
from wct.progress import Progress
from wct.samples import paint, photo
from wct.stylizer import Stylizer


@pytest.fixture(scope="module")
def compact() -> Stylizer:
    return Stylizer("compact", device="cpu")


@pytest.fixture
def tiny(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return Picture(torch.rand(3, height, width, generator=generator(seed)))


def test_the_loss_falls_to_a_fraction_and_the_style_comes_near(compact: Stylizer) -> None:
    content, painting = photo("chelsea").resized(64), paint("mosaic").resized(96)
    told: list[Progress] = []
    style = compact.style(painting, scale=None)
    made = gatys(compact, content, style, iterations=40, ratio=0.01, progress=told.append)
    losses = [float(one.what.removeprefix("loss ")) for one in told]
    assert len(told) == 40 and told[-1].done == told[-1].total
    assert losses[-1] < 0.2 * losses[0] and losses == sorted(losses, reverse=True)

    def far(picture: Picture) -> float:
        _, found = features(compact.model.encoder, picture.rgb[None])
        wanted = {level: gram_of(style, level).float() for level in found}
        return float(style_loss({level: gram(one) for level, one in found.items()}, wanted))

    assert far(made) < 0.2 * far(content)
    assert torch.equal(made.rgb, gatys(compact, content, style, iterations=40, ratio=0.01).rgb)


def test_a_result_can_be_refined_and_the_content_is_its_own_optimum(compact: Stylizer) -> None:
    content = photo("coffee").resized(48)
    style = compact.style(paint("waves").resized(64), scale=None)
    first = compact(content, style)
    told: list[Progress] = []
    refined = gatys(compact, content, style, iterations=10, start=first, progress=told.append)
    assert float(told[-1].what.removeprefix("loss ")) < float(told[0].what.removeprefix("loss "))
    assert (refined.rgb - first.rgb).abs().mean() < (content.rgb - first.rgb).abs().mean()
    own = compact.style(content, scale=None)
    assert (gatys(compact, content, own, iterations=5).rgb - content.rgb).abs().max() < 2 / 255


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 9))
def test_second_moments_are_those_of_the_gaussian(channels: int, side: int, seed: int) -> None:
    values = torch.randn(1, channels, side, 3, generator=generator(seed), dtype=torch.float64) + 2
    gaussian = Gaussian.of(values)
    moments = gaussian.cov + torch.outer(gaussian.mean, gaussian.mean)
    assert torch.allclose(gram(values)[0], moments, rtol=1e-9, atol=1e-9)


def test_several_styles_pull_as_their_losses_together_would(tiny: Stylizer) -> None:
    parts = [tiny.style(noise(24, 24, seed), scale=None) for seed in (1, 2)]
    both = tiny.style(*parts, weights=[3, 1])
    for level in (1, 5):
        apart = 0.75 * gram_of(parts[0], level) + 0.25 * gram_of(parts[1], level)
        assert torch.allclose(gram_of(both, level), apart)


def test_losses_are_shares_of_what_is_wanted() -> None:
    wanted = torch.rand(2, 4, 5, 6, generator=generator(1))
    assert float(content_loss(wanted, wanted)) == 0
    assert math.isclose(float(content_loss(3 * wanted, wanted)), 4, rel_tol=1e-5)
    moments = gram(wanted)
    assert math.isclose(float(style_loss({1: 3 * moments, 2: moments}, {1: moments, 2: moments})), 2, rel_tol=1e-5)
    assert float(total_variation(torch.full((1, 3, 4, 4), 0.3))) == 0 == float(total_variation(torch.rand(1, 3, 1, 1)))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (17, 2), (33, 31)])
@pytest.mark.parametrize("start", ["content", "noise"])
def test_every_size_works_and_alpha_stays(tiny: Stylizer, size: tuple[int, int], start: str) -> None:
    alpha = torch.randint(0, 255, size, generator=generator(2)).to(torch.uint8).numpy()
    content = Picture(noise(*size).rgb, alpha)
    made = gatys(tiny, content, noise(20, 20, 5), iterations=3, start=start, seed=4)
    assert made.size == size and made.alpha is not None and (made.alpha == alpha).all()
    assert float(made.rgb.min()) >= 0 and float(made.rgb.max()) <= 1


def test_large_pictures_go_coarse_to_fine(tiny: Stylizer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scales((512, 900)) == [(512, 900)] and scales((1025, 1300)) == [(257, 325), (513, 650), (1025, 1300)]
    monkeypatch.setattr(module, "COARSE", 16)
    monkeypatch.setattr(module, "LARGE", 40)  # the last scale is Adam's
    told: list[Progress] = []
    made = gatys(tiny, noise(41, 50), noise(20, 20, 5), iterations=10, progress=told.append)
    assert made.size == (41, 50) and len(told) == 10 + 3 + 3


def test_colours_stay_where_they_should(tiny: Stylizer) -> None:
    content, painting = photo("chelsea").resized(32), paint("strokes").resized(32)
    plain = gatys(tiny, content, painting, iterations=5)
    kept = gatys(tiny, content, painting, iterations=5, color="luminance")
    assert not torch.equal(plain.rgb, kept.rgb)
    change = lightness(kept.rgb) - lightness(plain.rgb)
    assert (change - change.median()).abs().median() < 0.02
    assert abs(float(lightness(kept.rgb).mean() - lightness(content.rgb).mean())) < 0.01
    none = gatys(tiny, content, painting, iterations=5, color="luminance", color_strength=0)
    assert torch.equal(none.rgb, plain.rgb)
    matched = gatys(tiny, content, painting, iterations=5, color="content")
    wanted = gatys(tiny, content, tiny.style(painting, colors=content), iterations=5)
    assert torch.equal(matched.rgb, wanted.rgb)


def test_a_run_that_is_stopped_leaves_the_best_so_far(tiny: Stylizer) -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 4:
            raise KeyboardInterrupt

    content, painting = noise(24, 24), noise(24, 24, 5)
    with pytest.raises(Stopped) as stopped:
        gatys(tiny, content, painting, iterations=9, progress=stop)
    assert torch.equal(stopped.value.picture.rgb, gatys(tiny, content, painting, iterations=4).rgb)


def test_what_cannot_be(tiny: Stylizer, compact: Stylizer) -> None:
    picture = noise(16, 16)
    for setting in ({"iterations": 0}, {"ratio": 0.0}, {"ratio": math.nan}, {"start": "zeros"}, {"color": "red"}):
        with pytest.raises(UsageError, match="needs"):
            gatys(tiny, picture, picture, **setting)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="another model"):
        gatys(tiny, picture, compact.style(picture))
    with pytest.raises(UsageError, match="own colours"):
        gatys(tiny, picture, tiny.style(picture), color="content")
    huge = Picture(torch.full((3, 8, 8), 1e38))
    with pytest.raises(NumericsError):
        gatys(tiny, huge, picture)
