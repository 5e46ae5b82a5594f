"""Any settings on any small pictures: a finite picture of the content's size, or one line that refuses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import generator, seeds
from torch import Tensor

from wct.errors import NumericsError, UsageError, WctError
from wct.look import BLENDS, COLORS, MODES, TRANSFORM_NAMES
from wct.models import Model
from wct.models.spec import LEVELS
from wct.regions import Region
from wct.style import Style
from wct.stylizer import Stylizer

T = TypeVar("T")

sides = st.integers(1, 64)
sizes = st.tuples(sides, sides)
some_levels = st.lists(st.sampled_from(LEVELS), min_size=1, unique=True)
looks = st.fixed_dictionaries(
    {"levels": some_levels.map(tuple), "alpha": st.floats(0, 3), "transform": st.sampled_from(TRANSFORM_NAMES)},
    optional={
        "color": st.sampled_from(COLORS),
        "color_strength": st.floats(0, 1),
        "detail": st.floats(0, 1),
        "mode": st.sampled_from(MODES),
        "grain": st.floats(0, 255),
        "strength": st.dictionaries(st.sampled_from(LEVELS), st.floats(0, 2)),
    },
).map(lambda look: {**look, "grain": 0.0} if look.get("mode") == "photo" else look)
weights = st.lists(st.sampled_from([0.0, 1e-9, 0.5, 1.0, 1e9]), min_size=3, max_size=3).filter(any)
odd_numbers = st.sampled_from([-1.0, -0.0, 1e-320, 1e300, float("nan"), float("inf")]) | st.floats()
odd_looks = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("alpha", "color_strength", "detail", "grain"), odd_numbers)
    | {"rank": st.integers(), "passes": st.integers(max_value=2), "levels": st.tuples(st.integers())}
    | {"strength": st.dictionaries(st.integers(0, 6), odd_numbers)},
)


@pytest.fixture(scope="module")
def stylizer(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


def noise(size: tuple[int, int], seed: int) -> Tensor:
    """(3, H, W) of a few colours, or of one."""
    steps = 1 + seed % 4
    return (torch.rand(3, *size, generator=generator(seed)) * steps).floor() / max(1, steps - 1) * (steps > 1)


def assert_sound(stylizer: Stylizer, content: Tensor, style: Any, **look: Any) -> None:
    result = stylizer(content, style, **look)
    assert result.size == tuple(content.shape[1:])
    assert bool(torch.isfinite(result.rgb).all())
    assert 0 <= float(result.rgb.min()) <= float(result.rgb.max()) <= 1


def unless_refused(work: Callable[[], T], *errors: type[WctError]) -> T | None:
    """What comes of some work; None where it is refused, in one line."""
    try:
        return work()
    except errors as error:
        line = str(error)
    assert line.isprintable()
    return None


@settings(max_examples=60)
@given(sizes, st.lists(sizes, min_size=3, max_size=3), weights, st.sampled_from(BLENDS), looks, seeds)
def test_blends_and_looks(
    stylizer: Stylizer,
    size: tuple[int, int],
    others: list[tuple[int, int]],
    shares: list[float],
    blend: str,
    look: dict[str, Any],
    seed: int,
) -> None:
    content, pictures = noise(size, seed), [noise(other, seed + i) for i, other in enumerate(others, 1)]
    swap, colors = look["transform"] == "swap", content if look.get("color") == "content" else None

    def style(blend: str) -> Style:
        return stylizer.style(*pictures, weights=shares, blend="maps" if swap else blend, colors=colors, patches=swap)

    # Between a picture of one pixel and another there may be no barycentre.
    assert_sound(stylizer, content, unless_refused(lambda: style(blend), NumericsError) or style("maps"), **look)


@pytest.mark.filterwarnings("ignore::wct.images.PictureWarning")  # about regions of few pixels
@settings(max_examples=40)
@given(sizes, st.lists(st.sampled_from(["full", "pixel", "soft", "half"]), min_size=1, max_size=3), looks, seeds)
def test_masks(stylizer: Stylizer, size: tuple[int, int], kinds: list[str], look: dict[str, Any], seed: int) -> None:
    masks = {
        "full": torch.ones(size),
        "pixel": torch.zeros(size).index_put((torch.tensor(0), torch.tensor(-1)), torch.tensor(1.0)),
        "soft": torch.rand(size, generator=generator(seed)),
        "half": (torch.arange(size[1]) < size[1] / 2).float().expand(size).contiguous(),
    }
    content = noise(size, seed)
    regions = [Region(noise((9, 14), seed + i), masks[kind]) for i, kind in enumerate(kinds)]
    assert_sound(stylizer, content, [*regions, Region(None)], **look)


@settings(max_examples=60)
@given(odd_looks, st.lists(odd_numbers, min_size=2, max_size=2))
def test_numbers_of_any_size_are_taken_or_refused(
    stylizer: Stylizer, look: dict[str, Any], shares: list[float]
) -> None:
    content, pictures = noise((7, 9), 3), [noise((9, 8), 2), noise((5, 5), 5)]
    style = unless_refused(lambda: stylizer.style(*pictures, weights=shares), UsageError) or stylizer.style(*pictures)
    unless_refused(lambda: assert_sound(stylizer, content, style, **look), UsageError, NumericsError)
