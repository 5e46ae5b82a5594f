"""Analogies: B = A gives A' again, the best match without coherence, and pixels that belong together with it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from strategies import generator

from wct.errors import UsageError
from wct.images import Picture
from wct.methods.analogies import analogies, analogy, remapped
from wct.methods.stopped import Stopped
from wct.progress import Progress
from wct.samples import paint, photo


def noise(height: int, width: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return torch.rand(height, width, channels, generator=generator(seed)).numpy()


@pytest.mark.parametrize("kappa", [0.0, 5.0, 25.0])
def test_where_b_is_a_its_result_is_a_prime(kappa: float) -> None:
    a, a_prime = noise(40, 52), noise(40, 52, 3, seed=1)
    places = analogy(a, a_prime, a, kappa=kappa)
    assert (places == np.arange(a[..., 0].size).reshape(40, 52)).mean() > 0.99


def test_a_part_of_a_is_found_in_it() -> None:
    a, a_prime = noise(48, 48), noise(48, 48, seed=1)
    places = analogy(a, a_prime, a[8:48, 8:48])
    wanted = np.arange(48 * 48).reshape(48, 48)[8:48, 8:48]
    inner = np.s_[8:-8, 8:-8]  # at its margin, and that of the coarser levels, it has other neighbours than in A
    assert (places[inner] == wanted[inner]).mean() > 0.95


def test_coherence_keeps_pixels_together() -> None:
    a = gaussian_filter(noise(60, 60), (2, 2, 0))
    a_prime, b = noise(60, 60, seed=1), gaussian_filter(noise(50, 50, seed=2), (2, 2, 0))

    def together(kappa: float) -> float:
        """How many pixels come from beside where the pixel on their left comes from."""
        places = analogy(a, a_prime, remapped(b, a), kappa=kappa)
        return float((np.diff(places, axis=1) == 1).mean())

    assert together(0) < together(2) < together(25)


def test_numbers_paint_textures() -> None:
    """Texture-by-numbers: where B has the label of a texture in A, B' shows that texture of A'."""
    labels = np.zeros((32, 64, 3), np.float32)
    labels[:, 32:] = 1
    light, dark = 0.7 + 0.3 * noise(32, 32, 3), 0.3 * noise(32, 32, 3, seed=1)
    wanted = np.zeros((40, 40, 3), np.float32)
    wanted[:20] = 1
    made = np.concatenate([light, dark], 1).reshape(-1, 3)[analogy(labels, np.concatenate([light, dark], 1), wanted)]
    assert (made[:18].max(2) < 0.31).mean() > 0.97 and (made[22:].min(2) > 0.69).mean() > 0.97


def test_remapping_gives_mean_and_deviation() -> None:
    like = 3 * noise(20, 20, seed=3) + 1
    found = remapped(noise(9, 9), like)
    assert found.mean() == pytest.approx(like.mean(), abs=1e-4) and found.std() == pytest.approx(like.std(), abs=1e-4)
    assert np.allclose(remapped(np.full((4, 4, 1), 0.2, np.float32), like), like.mean(), atol=1e-5)


def test_a_photo_is_painted_with_the_paintings_pixels() -> None:
    content, style = photo("chelsea").resized(80), paint("waves").resized(90)
    made = analogies(content, style)
    known = {tuple(pixel) for pixel in (style.rgb.flatten(1).T * 255).round().int().tolist()}
    found = [tuple(pixel) for pixel in (made.rgb.flatten(1).T * 255).round().int().tolist()]
    assert sum(pixel in known for pixel in found) > 0.99 * len(found)
    assert torch.equal(made.rgb, analogies(content, style).rgb)
    own = analogies(content, style, color="content")
    apart = [(one.rgb[0] - one.rgb[2]).mean() for one in (own, content, made)]
    assert abs(apart[0] - apart[1]) < abs(apart[2] - apart[1])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (9, 1), (50, 2), (7, 3), (30, 41)])
def test_every_size_flat_pictures_and_alpha_pass(size: tuple[int, int]) -> None:
    alpha = np.full(size, 99, np.uint8)
    content = Picture(torch.from_numpy(noise(*size, 3).transpose(2, 0, 1).copy()), alpha)
    for style in (torch.rand(3, 1, 1), torch.rand(3, 30, 9), torch.full((3, 20, 20), 0.4)):
        made = analogies(content, Picture(style))
        assert made.size == size and made.alpha is alpha and bool(torch.isfinite(made.rgb).all())


def test_what_is_stopped_leaves_what_it_has() -> None:
    def stop(progress: Progress) -> None:
        if progress.done == progress.total - 20:
            raise KeyboardInterrupt

    def stop_at_once(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Stopped) as stopped:
        analogies(photo("coffee").resized(40), paint("mosaic").resized(40), progress=stop)
    assert stopped.value.picture.size == photo("coffee").resized(40).size
    with pytest.raises(KeyboardInterrupt) as early:
        analogies(photo("coffee").resized(40), paint("mosaic").resized(40), progress=stop_at_once)
    assert not isinstance(early.value, Stopped), "there is nothing of that size yet"


def test_what_cannot_be() -> None:
    picture = Picture(torch.rand(3, 9, 9))
    with pytest.raises(UsageError, match="color"):
        analogies(picture, picture, color="red")
    a = noise(9, 9)
    for parts in ((a, noise(9, 8), a), (a, a, noise(9, 9, 3))):
        with pytest.raises(UsageError, match="analogy"):
            analogy(*parts)
    with pytest.raises(UsageError, match="kappa"):
        analogy(a, a, a, kappa=-1)
