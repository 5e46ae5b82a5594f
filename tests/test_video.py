"""Shots, flow, fusion, schedules and plans: the parts of `wct video` that know no files."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from films import Array, cut, pan, scene
from hypothesis import given
from hypothesis import strategies as st

from wct.errors import UsageError
from wct.images import Picture
from wct.look import LOOK
from wct.models import Model
from wct.style import Style
from wct.stylizer import Stylizer
from wct.video.flow import flow, unreliable, warp
from wct.video.frame import Frame, pixels
from wct.video.plans import SAMPLES, Live, Order, Planned, made, sampled, spread
from wct.video.schedule import Schedule
from wct.video.shots import SHORTEST, marked
from wct.video.steady import Steady

SIZE = (54, 96)


def frames_of(arrays: Sequence[Array]) -> list[Frame]:
    return [
        Frame(Picture(torch.from_numpy(array.astype(np.float32) / 255).permute(2, 0, 1).contiguous()), i, i + 1)
        for i, array in enumerate(arrays)
    ]


def starts(arrays: Sequence[Array]) -> list[int]:
    return [i for i, (_, start) in enumerate(marked(frames_of(arrays))) if start]


def faded(arrays: Sequence[Array], levels: Sequence[float]) -> list[Array]:
    return [np.rint(array * level).astype(np.uint8) for array, level in zip(arrays, levels, strict=True)]


def test_cuts_start_shots_and_every_frame_comes_back_in_order() -> None:
    arrays = cut(75, SIZE, 25)
    found = list(marked(frames_of(arrays)))
    assert [frame.number for frame, _ in found] == list(range(1, 76))
    assert [frame.number - 1 for frame, start in found if start] == [0, 25, 50]


def test_a_cut_in_a_moving_shot_is_found_and_the_motion_is_none() -> None:
    """A pan of 6 pixels a frame differs much from frame to frame, but as much around."""
    wide = [scene(seed, (108, 400)) for seed in (1, 2)]
    moving = [wide[i // 30][:54, 6 * (i % 30) : 6 * (i % 30) + 96] for i in range(60)]
    assert starts(moving) == [0, 30]


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length: int) -> None:
    arrays = pan(60, SIZE)
    for i in range(30, 30 + length):
        arrays[i] = np.full_like(arrays[i], 255)
    assert starts(arrays) == [0]


def test_a_fade_through_black_is_one_cut_where_nothing_is_seen() -> None:
    levels = np.concatenate([np.ones(20), np.linspace(1, 0, 15), np.linspace(0, 1, 15), np.ones(20)])
    arrays = faded(pan(35, SIZE, 1) + pan(35, SIZE, 2), levels)
    found = starts(arrays)
    assert len(found) == 2 and found[0] == 0
    assert arrays[found[1] - 1].max() < 32


def test_a_fade_of_light_is_no_cut() -> None:
    levels = np.concatenate([np.linspace(1, 0.4, 20), np.linspace(0.4, 1, 20)])
    assert starts(faded(pan(40, SIZE), levels)) == [0]


def test_shots_have_a_shortest_length() -> None:
    arrays = cut(40, SIZE, 20)
    arrays[25:] = pan(15, SIZE, 7)
    assert starts(arrays) == [0, 20]
    assert SHORTEST > 5


@given(count=st.integers(1, 500), most=st.integers(1, 20))
def test_samples_spread_over_a_shot(count: int, most: int) -> None:
    found = spread(count, most)
    assert len(found) == min(count, most) == len(set(found))
    assert found == sorted(found) and found[0] >= 0 and found[-1] < count
    gaps = np.diff([-1, *found, count])
    assert gaps.max() <= 2 * count / len(found) + 1


def test_the_pictures_of_a_shot_are_of_that_shot() -> None:
    frames = frames_of(pan(50, (4, 4)))
    shots = list(sampled(iter(frames), [0, 5, 30], 50))
    assert [len(shot) for shot in shots] == [5, SAMPLES, SAMPLES]
    numbers = {id(frame.picture): frame.number - 1 for frame in frames}
    for shot, (first, end) in zip(shots, [(0, 5), (5, 30), (30, 50)], strict=True):
        assert all(first <= numbers[id(one)] < end for one in shot)


def moved(shift: tuple[float, float], size: tuple[int, int] = (64, 80)) -> tuple[Array, Array]:
    """A frame, and the next one, in which everything has moved by `shift` (x, y)."""
    rng = np.random.default_rng(3)
    wide = cv2.resize(rng.random((20, 24, 3)).astype(np.float32), (160, 140), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    before = wide[30 : 30 + size[0], 40 : 40 + size[1]]
    turn = np.array([[1, 0, 40 - shift[0]], [0, 1, 30 - shift[1]]], np.float32)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return before.copy(), cv2.warpAffine(wide, turn, size[::-1], flags=flags).clip(0, 1)


def test_flow_finds_motion_and_warping_undoes_it() -> None:
    before, now = moved((2.5, -1.5))
    found = flow(now, before)
    inner = found[8:-8, 8:-8]
    assert np.abs(inner - [-2.5, 1.5]).mean() < 0.15
    undone = warp(before, found)
    assert np.abs(undone - now)[8:-8, 8:-8].mean() < 0.25 * np.abs(before - now)[8:-8, 8:-8].mean()


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (20, 9), (33, 31)])
def test_flow_of_small_pictures(size: tuple[int, int]) -> None:
    array = np.random.default_rng(0).random((*size, 3)).astype(np.float32)
    found = flow(array, array)
    assert found.shape == (*size, 2) and np.abs(found).max() < 0.1
    result = Steady(0.8)
    result(array, array)
    assert np.abs(result(array, array) - array).max() < 0.02


def test_what_a_moving_object_uncovers_is_unreliable() -> None:
    """A square moves by 8 pixels over still ground: what lay behind it cannot be seen before."""
    height, width = 64, 64
    backward = np.zeros((height, width, 2), np.float32)
    forward = backward.copy()
    forward[20:40, 10:30, 0] = 8
    backward[20:40, 18:38, 0] = -8
    found = unreliable(backward, forward)
    assert found[22:38, 11:17].all()
    assert not found[22:38, 22:34].any()
    assert not found[45:, 45:].any()


def test_what_comes_in_over_the_border_is_unreliable() -> None:
    backward = np.full((20, 20, 2), 0, np.float32)
    backward[..., 0] = 3
    found = unreliable(backward, -backward)
    assert found[:, -3:].all() and not found[:, :-3].any()


def flickering(count: int, shift: tuple[float, float] = (0.6, 0.4)) -> tuple[list[Array], list[Array]]:
    """A pan, and the same with grain of its own in every frame."""
    rng = np.random.default_rng(5)
    contents = [moved((shift[0] * i, shift[1] * i))[1] for i in range(count)]
    noise = [(cv2.GaussianBlur(rng.standard_normal(c.shape), (0, 0), 1) * 0.1).astype(np.float32) for c in contents]
    return contents, [(c + n).clip(0, 1) for c, n in zip(contents, noise, strict=True)]


def test_fusion_removes_flicker_and_neither_smears_nor_drifts() -> None:
    contents, made = flickering(36)
    steady = Steady(0.8)
    results = [steady(content, one) for content, one in zip(contents, made, strict=True)]

    def flicker(frames: list[Array]) -> float:
        tail = list(zip(frames, frames[1:], contents, contents[1:], strict=False))[10:]
        steps = [warp(a, flow(d, c))[10:-10, 10:-10] - b[10:-10, 10:-10] for a, b, c, d in tail]
        return float(np.sqrt(np.mean(np.square(steps))))

    def sharp(frame: Array) -> float:
        return float(np.square(cv2.Laplacian(frame[10:-10, 10:-10], cv2.CV_32F)).mean())

    assert flicker(results) < 0.5 * flicker(made)
    assert sharp(results[-1]) > 0.8 * sharp(contents[-1])
    early, late = (np.abs(results[i] - contents[i])[10:-10, 10:-10].mean() for i in (10, -1))
    assert late < 1.5 * early


def test_fusion_leaves_no_ghosts() -> None:
    """Where the content changes at once, the result is what was made of it, whatever came before."""
    before, _ = moved((0, 0))
    now = before.copy()
    now[20:40, 30:50] = 1 - now[20:40, 30:50]
    steady = Steady(1.0)
    steady(before, np.zeros_like(before))
    result = steady(now, np.ones_like(now))
    assert result[24:36, 34:46].min() > 0.95
    assert result[50:, :20].max() < 0.05


def test_no_fusion_is_exactly_what_was_made() -> None:
    contents, made = flickering(3)
    steady = Steady(0.0)
    assert all((steady(c, m) == m).all() for c, m in zip(contents, made, strict=True))


def style_of(model: Model, seed: int) -> Style:
    rgb = torch.rand((3, 40, 40), generator=torch.Generator().manual_seed(seed))
    return Stylizer(model).style(Picture(rgb, name=f"style {seed}"))


def test_a_schedule_goes_from_style_to_style(tiny_model: Model) -> None:
    one, two = style_of(tiny_model, 1), style_of(tiny_model, 2)
    schedule = Schedule([(6.0, two), (2.0, one)])
    assert schedule.at(0).first is one and schedule.at(0).t == 0
    assert schedule.at(9).first.name == "style 2" and schedule.at(9).t == 0
    middle = schedule.at(4.0)
    assert middle.t == 0 and middle.first.name == "style 1 + style 2"
    between = schedule.at(4.5)
    assert between.t == 0.5 and between.first is middle.first
    means = [s.parts[0].gaussians[3].mean for s in (one, middle.first, two)]
    torch.testing.assert_close(means[1], (means[0] + means[2]) / 2, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("times", "words"), [([], "no keyframe"), ([-1], "-1 s"), ([1, 1], "twice"), ([np.nan], "nan")]
)
def test_schedules_that_cannot_be(tiny_model: Model, times: list[float], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Schedule([(time, style_of(tiny_model, 1)) for time in times])


def stylised(stylizer: Stylizer, order: Order) -> Array:
    (picture,) = made(stylizer, [order])
    assert picture is not None
    return pixels(picture)


def test_a_still_shot_gives_the_same_result_in_every_frame(tiny_model: Model) -> None:
    stylizer, schedule = Stylizer(tiny_model), Schedule([(0.0, style_of(tiny_model, 1))])
    frames = frames_of([*pan(1, SIZE), *pan(1, SIZE), *pan(1, SIZE, 4)])
    maker = Planned(stylizer, schedule, LOOK, iter([[frame.picture for frame in frames]]))
    maker.start()
    results = [stylised(stylizer, maker(frame, 0.0)) for frame in frames]
    assert (results[0] == results[1]).all()
    alone = pixels(stylizer(frames[0].picture, schedule.at(0).first))
    assert np.abs(results[0] - alone).mean() > 0.01


def test_plans_follow_the_schedule_within_a_shot(tiny_model: Model) -> None:
    stylizer = Stylizer(tiny_model)
    one, two = style_of(tiny_model, 1), style_of(tiny_model, 2)
    frame = frames_of(pan(1, SIZE))[0]
    for schedule in (Schedule([(0.0, one), (4.0, two)]),):
        maker = Planned(stylizer, schedule, LOOK, iter([[frame.picture]]))
        maker.start()
        results = [stylised(stylizer, maker(frame, time)) for time in np.linspace(0, 4, 17)]
    ends = [pixels(stylizer(frame.picture, style)) for style in (one, two)]
    np.testing.assert_allclose(results[0], ends[0], atol=2e-3)
    np.testing.assert_allclose(results[-1], ends[1], atol=2e-3)
    steps = [np.abs(a - b).mean() for a, b in pairwise(results)]
    assert max(steps) < 0.3 * np.abs(ends[0] - ends[1]).mean() + 0.01


def test_live_follows_slowly_and_forgets_at_cuts(tiny_model: Model) -> None:
    stylizer, schedule = Stylizer(tiny_model), Schedule([(0.0, style_of(tiny_model, 1))])
    dark, light = frames_of([np.full((*SIZE, 3), 60, np.uint8) + pan(1, SIZE)[0] // 8, pan(1, SIZE)[0]])
    alone = pixels(stylizer(light.picture, schedule.at(0).first))
    live = Live(schedule, LOOK)
    live.start()
    for _ in range(5):
        stylised(stylizer, live(dark, 0.0))
    followed = stylised(stylizer, live(light, 0.0))
    live.start()
    np.testing.assert_allclose(stylised(stylizer, live(light, 0.0)), alone, atol=1e-3)
    assert np.abs(followed - alone).mean() > 0.01
