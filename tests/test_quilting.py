"""Quilting: seams are the cheapest, every pixel is the texture's, and photos are laid out of it."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import generator

from wct.errors import UsageError
from wct.images import Picture
from wct.methods.quilting import quilting, seam, texture
from wct.methods.stopped import Stopped
from wct.progress import Progress
from wct.samples import paint, photo


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return Picture(torch.rand(3, height, width, generator=generator(seed)))


def cost(errors: np.ndarray, path: np.ndarray) -> float:
    return float(errors[np.arange(len(errors)), path].sum())


@given(st.integers(1, 6), st.integers(1, 4), st.integers(0, 99))
def test_the_seam_is_the_cheapest_of_all_paths_and_never_dearer_than_a_straight_cut(
    height: int, width: int, seed: int
) -> None:
    errors = torch.rand(height, width, generator=generator(seed)).numpy()
    found = seam(errors)
    assert (np.abs(np.diff(found)) <= 1).all()
    paths = (np.array(path) for path in product(range(width), repeat=height))
    allowed = [path for path in paths if (np.abs(np.diff(path)) <= 1).all()]
    assert cost(errors, found) == pytest.approx(min(cost(errors, path) for path in allowed), abs=1e-6)
    assert cost(errors, found) <= min(errors.sum(0)) + 1e-6


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 30), st.integers(1, 20), st.integers(1, 20))
@settings(max_examples=30)
def test_a_texture_of_any_size_holds_pixels_of_its_source_alone(
    height: int, width: int, block: int, h: int, w: int
) -> None:
    source = noise(h, w)
    made = texture(source, (height, width), block=block)
    assert made.size == (height, width)
    known = {tuple(pixel) for pixel in source.rgb.flatten(1).T.tolist()}
    assert {tuple(pixel) for pixel in made.rgb.flatten(1).T.tolist()} <= known


def test_a_regular_texture_goes_on_without_visible_seams() -> None:
    stripes = (torch.arange(60) % 6 < 3).float().expand(3, 60, 60).contiguous()
    made = texture(Picture(stripes), (50, 90), block=18, tolerance=0.0)
    assert torch.equal(made.rgb, made.rgb[:, :1].expand_as(made.rgb)), "all rows alike"
    runs = made.rgb[0, 0].diff().nonzero().flatten().diff()
    assert set(runs.tolist()) == {3}


def test_a_photo_laid_out_of_a_painting_is_told_by_its_light() -> None:
    content, style = photo("chelsea").resized(96), paint("mosaic").resized(96)
    made = quilting(content, style, block=12)
    assert made.size == content.size
    blurred = [torch.nn.functional.avg_pool2d(one.rgb.mean(0)[None, None], 8).flatten() for one in (content, made)]
    assert float(torch.corrcoef(torch.stack(blurred))[0, 1]) > 0.7
    assert torch.equal(made.rgb, quilting(content, style, block=12).rgb), "the same by seed"
    assert not torch.equal(made.rgb, quilting(content, style, block=12, seed=1).rgb)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (3, 2), (25, 17)])
def test_every_size_flat_pictures_and_alpha_pass(size: tuple[int, int]) -> None:
    alpha = np.full(size, 99, np.uint8)
    content = Picture(noise(*size).rgb, alpha)
    for style in (noise(1, 1), noise(9, 5), Picture(torch.full((3, 8, 8), 0.3))):
        made = quilting(content, style, block=6, iterations=2)
        assert made.size == size and made.alpha is alpha and bool(torch.isfinite(made.rgb).all())


def test_what_is_stopped_leaves_what_it_has() -> None:
    def stop(progress: Progress) -> None:
        if progress.done == 5:
            raise KeyboardInterrupt

    def stop_late(progress: Progress) -> None:
        if progress.done == progress.total - 3:
            raise KeyboardInterrupt

    content, style = noise(60, 60), noise(40, 40, 1)
    with pytest.raises(Stopped) as stopped:
        quilting(content, style, block=12, progress=stop)
    assert stopped.value.picture.size == (60, 60)
    with pytest.raises(Stopped) as late:
        quilting(content, style, block=12, progress=stop_late)
    whole, made = quilting(content, style, block=12).rgb, late.value.picture.rgb
    assert float((made != whole).float().mean()) < 0.5, "the last iteration begins with the one before"
    with pytest.raises(Stopped):
        texture(noise(40, 40), (60, 60), block=12, progress=stop)


def test_flat_pictures_take_the_middle_of_what_is_offered() -> None:
    ramp = Picture(torch.linspace(0, 1, 64).expand(3, 64, 64).contiguous())
    made = quilting(Picture(torch.full((3, 32, 32), 0.9)), ramp, block=8)
    assert float(made.rgb.mean()) == pytest.approx(0.5, abs=0.1)


def test_what_cannot_be() -> None:
    picture = noise(8, 8)
    for setting in ({"seed": -1}, {"block": 0}, {"iterations": 0}, {"tolerance": -1.0}, {"tolerance": float("nan")}):
        with pytest.raises(UsageError, match="quilting"):
            quilting(picture, picture, **setting)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="sides of 1"):
        texture(picture, (0, 5))
