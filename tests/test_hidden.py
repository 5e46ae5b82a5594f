"""What transparency hides plays no part in any method, and stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from strategies import generator
from test_stylenet import random_net

from wct.images import Picture
from wct.methods.analogies import analogies
from wct.methods.gatys import gatys
from wct.methods.hidden import shown
from wct.methods.quilting import quilting, texture
from wct.models import Model
from wct.stylizer import Stylizer

Method = Callable[[Picture, Picture], Picture]


def half_hidden(height: int, width: int, color: tuple[float, float, float], seed: int = 0) -> Picture:
    """Noise on the left, a colour under full transparency on the right."""
    rgb = 0.5 * torch.rand(3, height, width, generator=generator(seed))
    rgb[..., width // 2 :] = torch.tensor(color)[:, None, None]
    alpha = np.full((height, width), 255, np.uint8)
    alpha[:, width // 2 :] = 0
    return Picture(rgb, alpha)


@pytest.fixture(params=["quilting", "analogies", "gatys", "cin"])
def method(request: pytest.FixtureRequest, tiny_model: Model) -> Method:
    methods: dict[str, Method] = {
        "quilting": lambda content, style: quilting(content, style, block=8),
        "analogies": analogies,
        "gatys": lambda content, style: gatys(Stylizer(tiny_model), content, style, iterations=3),
        "cin": lambda content, _: random_net().stylize(content, "a"),
    }
    return methods[request.param]


def test_hidden_pixels_of_the_content_stay_and_do_not_count(method: Method) -> None:
    style = Picture(torch.rand(3, 24, 24, generator=generator(3)))
    one, other = (method(half_hidden(20, 30, color), style) for color in ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0)))
    assert torch.equal(one.rgb[..., :15], other.rgb[..., :15])
    assert torch.equal(one.rgb[..., 15:], half_hidden(20, 30, (1.0, 0.0, 1.0)).rgb[..., 15:])


def test_hidden_pixels_of_the_style_do_not_count(method: Method) -> None:
    content = Picture(torch.rand(3, 20, 20, generator=generator(4)))
    one, other = (method(content, half_hidden(24, 24, color)) for color in ((1.0, 0.0, 1.0), (0.0, 1.0, 0.0)))
    assert torch.equal(one.rgb, other.rgb)


def test_textures_show_what_is_visible_and_have_no_alpha() -> None:
    source = half_hidden(20, 20, (1.0, 1.0, 1.0))
    made = texture(source, (20, 20), block=8)
    assert made.alpha is None and float(made.rgb.max()) <= 0.5


def test_the_nearest_visible_pixel_is_shown() -> None:
    picture = half_hidden(5, 8, (0.0, 1.0, 0.0))
    found = shown(picture)
    assert torch.equal(found.rgb[..., :4], picture.rgb[..., :4])
    assert torch.equal(found.rgb[..., 4:], picture.rgb[..., 3:4].expand(3, 5, 4))
    assert shown(Picture(picture.rgb)).rgb is picture.rgb
