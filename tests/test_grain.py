"""Grain: noise that windows agree on, and strokes where a photo has none to give."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import avg_pool2d

from wct.fields import Held
from wct.grain import OCTAVES, grain, grained
from wct.images import Picture
from wct.look import Look
from wct.samples import paint
from wct.stylizer import Stylizer
from wct.windows import Window

starts = st.integers(0, 100_000)
sides = st.integers(1, 90)


def evening(height: int, width: int) -> Tensor:
    """A sky without a cloud, (3, H, W): every row of one colour."""
    above, below = torch.tensor([0.35, 0.5, 0.75]), torch.tensor([0.9, 0.7, 0.6])
    return torch.lerp(above, below, torch.linspace(0, 1, height)[:, None]).T[..., None].repeat(1, 1, width)


@given(starts, starts, sides, sides, st.data())
def test_a_window_shows_what_the_whole_shows(top: int, left: int, height: int, width: int, data: st.DataObject) -> None:
    whole = Window(top, left, top + height, left + width)
    rows, columns = (sorted(data.draw(st.tuples(*[st.integers(0, side)] * 2))) for side in (height - 1, width - 1))
    part = Window(top + rows[0], left + columns[0], top + rows[1] + 1, left + columns[1] + 1)
    assert grain(whole).shape == whole.size
    assert torch.equal(grain(part), part.of(grain(whole), whole))


@pytest.mark.parametrize(("top", "left"), [(0, 0), (123_457, 999_999)])
def test_it_has_grains_of_every_size_and_no_pattern(top: int, left: int) -> None:
    found = grain(Window(top, left, top + 1024, left + 1024)).double()
    assert abs(found.mean()) < 0.03
    # Everywhere as strong, on the places that random numbers are drawn for and between them.
    for i in range(0, 16, 5):
        assert 0.9 < found[i::16, i::16].var() < 1.1
    # An octave is averaged away over its own size: each step from one size to the next takes about as much.
    sizes = [avg_pool2d(found[None], 2**k)[0].var() for k in range(OCTAVES + 1)]
    shares = torch.stack(sizes).diff().neg()
    assert (shares > 0.08).all() and sizes[-1] < 0.15
    for shift in (64, 128, 500):
        for dim in (0, 1):
            assert abs((found * found.roll(shift, dim)).mean()) < 0.02


def test_greys_stay_grey_and_none_is_none() -> None:
    pixels = Held(0, torch.full((1, 3, 20, 30), 0.5))
    found = grained(pixels, 0.1).read(Window(3, 4, 20, 30)) - 0.5
    assert torch.equal(found[0, 0], found[0, 1]) and torch.equal(found[0, 0], found[0, 2])
    torch.testing.assert_close(found[0, 0], 0.1 * grain(Window(3, 4, 20, 30)), rtol=0, atol=1e-6)
    assert grained(pixels, 0.0) is pixels


def test_strokes_come_where_the_sky_is_empty() -> None:
    stylizer = Stylizer(device="cpu")
    style, sky = stylizer.style(paint("waves")), evening(128, 192)

    def streaks(amount: float) -> Tensor:
        """How much of the variance across a row there is for one down a column, away from the borders."""
        made = stylizer(sky, style, grain=amount).rgb[:, 32:-32, 32:-32]
        return made.diff(dim=2).square().mean() / made.diff(dim=1).square().mean()

    assert streaks(0.0) < 0.01 and streaks(4.0) > 0.4


def test_it_fades_with_alpha_and_is_gone_at_zero() -> None:
    stylizer = Stylizer(device="cpu")
    style, sky = stylizer.style(paint("waves")), evening(64, 64)
    assert torch.equal(stylizer(sky, style, alpha=0.0, grain=8.0).rgb, stylizer(sky, style, alpha=0.0).rgb)
    assert [Look(alpha=alpha, grain=51.0).noise for alpha in (0.5, 1.0, 3.0)] == pytest.approx([0.1, 0.2, 0.2])


@pytest.mark.parametrize(
    ("settings", "share"),
    [
        ({"levels": (5,)}, 1),
        ({"levels": (1, 4)}, 1),
        ({"levels": (4, 2), "strength": {4: 0.25, 2: 3.0}}, 0.25),
        ({"levels": (5, 4), "strength": {5: 0.0, 4: 0.5}, "alpha": 0.5}, 0.25),
        ({"levels": (3, 2, 1)}, 0),
        ({"strength": {5: 0.0, 4: 0.0}}, 0),
        ({"mode": "cascade"}, 1),
        ({"mode": "photo"}, 0),
        ({"rank": 0}, 0),
    ],
)
def test_there_is_as_much_as_strokes_are_made(settings: dict[str, Any], share: float) -> None:
    assert Look(grain=51.0, **settings).noise == pytest.approx(0.2 * share)


def test_what_makes_no_strokes_of_it_has_none() -> None:
    stylizer = Stylizer(device="cpu")
    style, sky = stylizer.style(paint("waves")), evening(64, 64)
    for settings in ({"levels": (3, 2, 1)}, {"mode": "photo"}):
        given, none = (stylizer(sky, style, grain=grain, **settings).rgb for grain in (8.0, 0.0))
        assert torch.equal(given, none)


def test_a_preview_has_less_at_the_levels_that_it_has() -> None:
    """Those of the picture that it stands for: at a quarter of its size there is no relu4_1 left to make strokes."""
    stylizer = Stylizer(device="cpu")
    style, sky = stylizer.style(paint("waves")), evening(256, 256)
    small = Picture(sky).resized(64).rgb
    made = stylizer(sky, style, preview=64, grain=8.0).rgb
    grainy = small + 4 / 255 * grain(Window(0, 0, 64, 64))
    torch.testing.assert_close(made, stylizer(grainy, style, look=Look().reduced(4)).rgb, rtol=0, atol=1e-4)


def test_a_plan_has_it_too() -> None:
    stylizer = Stylizer(device="cpu")
    style, sky = stylizer.style(paint("strokes")), evening(64, 96)
    made = stylizer(sky, stylizer.plan([sky], style, grain=4.0)).rgb
    torch.testing.assert_close(made, stylizer(sky, style, grain=4.0).rgb, rtol=0, atol=2e-4)
