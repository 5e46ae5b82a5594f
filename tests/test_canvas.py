"""Windows: a picture worked through in parts is the picture worked through in one piece."""

from __future__ import annotations

import errno
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import generator, seeds
from torch import Tensor

from wct import memory
from wct.canvas import Canvas
from wct.content import Content
from wct.errors import OutputError, UsageError, out_of_memory
from wct.fields import Combined, Held, Stepped
from wct.images import Picture, PictureWarning
from wct.look import LOOK, PHOTO
from wct.memory import choose_side, pixel_bytes
from wct.models import Model
from wct.plan import Memory
from wct.progress import Progress
from wct.regions import Region
from wct.store import Filed, check_space, scratch
from wct.style import Style
from wct.stylizer import Stylizer
from wct.windows import Window, tiles

sizes = st.tuples(st.integers(1, 230), st.integers(1, 230))


def noise(size: tuple[int, int], seed: int = 0) -> Tensor:
    """Blotches: noise of several sizes, so that all levels have something to see."""
    layers = [
        torch.nn.functional.interpolate(
            torch.rand((1, 3, *(max(1, side // step) for side in size)), generator=generator(seed + step)), size
        )[0]
        for step in (1, 4, 16)
    ]
    return torch.stack(layers).mean(0)


@pytest.fixture(scope="module")
def stylizer(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


@pytest.fixture(scope="module")
def style(stylizer: Stylizer) -> Style:
    return stylizer.style(noise((64, 80), 9), patches=True)


def levels_apart(a: Picture, b: Picture) -> tuple[float, float]:
    """The largest and the mean difference in grey levels of 8 bits."""
    apart = ((255 * a.rgb).round() - (255 * b.rgb).round()).abs()
    return float(apart.max()), float(apart.mean())


def assert_same(stylizer: Stylizer, content: Any, style: Any, tile: int, **settings: Any) -> None:
    largest, mean = levels_apart(
        stylizer(content, style, tile=tile, **settings), stylizer(content, style, tile=None, **settings)
    )
    assert largest <= 1 and mean < 0.02


# A thin picture has fewer features at relu5_1 than directions: whitening then blows rounding up, windows or not.
modes = st.sampled_from(["single", "cascade", "photo"])
large_sizes = st.tuples(st.integers(96, 230), st.integers(96, 230))


@given(sizes, st.integers(1, 300), modes, seeds)
@settings(max_examples=30)
def test_windows_of_any_size_do_not_show(
    stylizer: Stylizer, style: Style, size: tuple[int, int], tile: int, mode: str, seed: int
) -> None:
    assert_same(stylizer, noise(size, seed), style, tile, mode=mode, transform="adain")


@given(large_sizes, st.integers(1, 200), modes, seeds)
@settings(max_examples=20)
def test_nor_do_they_with_full_covariances(
    stylizer: Stylizer, style: Style, size: tuple[int, int], tile: int, mode: str, seed: int
) -> None:
    assert_same(stylizer, noise(size, seed), style, tile, mode=mode, alpha=0.8)


@pytest.mark.parametrize(
    "settings",
    [
        {"levels": (4, 2)},
        {"levels": (1,)},
        {"alpha": 0.5, "strength": {5: 0.2}},
        {"passes": 2},
        {"transform": "swap"},
        {"color": "luminance", "color_strength": 0.7},
        {"look": PHOTO},
        {"detail": 0.6},
        {"grain": 9.0},
        {"transform": "adain", "rank": 3},
    ],
    ids=str,
)
def test_nor_do_they_with_other_settings(stylizer: Stylizer, style: Style, settings: dict[str, Any]) -> None:
    assert_same(stylizer, noise((150, 203)), style, 64, **settings)


def test_nor_do_they_in_the_contents_colours(stylizer: Stylizer) -> None:
    assert_same(stylizer, noise((150, 203)), noise((64, 64), 4), 64, color="content")


def test_nor_do_they_in_regions_and_around_transparent_pixels(stylizer: Stylizer, style: Style) -> None:
    alpha = np.full((150, 203), 255, np.uint8)
    alpha[:70, :140] = 0
    content = Picture(noise((150, 203)), alpha)
    mask = torch.zeros(150, 203)
    mask[:, 100:] = torch.linspace(0, 1, 103)
    other = stylizer.style(0.4 * noise((64, 64), 4))
    assert_same(stylizer, content, style, 64)
    assert_same(stylizer, content, style, 64, color="luminance")
    assert_same(stylizer, content, [Region(style, mask), Region(other)], 64)
    assert_same(stylizer, content, [Region(None, mask), Region(other)], 64)


def test_the_shipped_model_shows_no_windows_either() -> None:
    stylizer = Stylizer()
    assert_same(stylizer, noise((301, 213)), noise((96, 96), 3), 64)


@given(sizes, st.integers(1, 9), st.integers(1, 100), st.sampled_from([1, 2, 16]))
def test_tiles_cover_everything_once(size: tuple[int, int], step: int, side: int, grid: int) -> None:
    seen, side = torch.zeros(size), side * grid
    for window in tiles(size, side, grid):
        window.of(seen).add_(1)
        assert max(window.size) <= side and window.top % grid == window.left % grid == 0
        assert window.scaled(step, (step * size[0] - step + 1, step * size[1])).shrunk(step) == window
    assert bool((seen == 1).all())


@given(sizes, st.integers(1, 200), seeds)
@settings(max_examples=15)
def test_nor_do_they_where_stages_make_pictures_and_refine_them(
    pictured_model: Model, size: tuple[int, int], tile: int, seed: int
) -> None:
    stylizer = Stylizer(pictured_model)
    style = stylizer.style(noise((64, 80), 9))
    assert_same(stylizer, noise(size, seed), style, tile, transform="adain", alpha=0.5)


def test_a_wrong_halo_would_be_seen(tiny_model: Model) -> None:
    """What the tests above rest on: a field that reads too little differs at the borders of its windows."""
    x = Held(3, torch.rand((1, 8, 16, 16), generator=generator(0)))
    good = Canvas(tiny_model).stepped(x, (32, 32))
    assert isinstance(good, Stepped)
    window, whole = Window(8, 8, 16, 16), good.read(Window.whole(good.size))
    torch.testing.assert_close(good.read(window), window.of(whole), rtol=0, atol=1e-5)
    narrow = good.stage(Window(4, 4, 8, 8).of(x.x), (8, 8))
    assert not torch.allclose(narrow, window.of(whole), atol=1e-3)


@given(sizes, st.sampled_from([np.float32, np.uint8, np.uint16]), st.integers(1, 4), st.integers(0, 9), seeds)
@settings(max_examples=25)
def test_a_file_gives_back_what_was_written(
    size: tuple[int, int], dtype: type, channels: int, start: int, seed: int
) -> None:
    with scratch() as file:
        field = Filed(0, size, channels, file, np.dtype(dtype), start=start)
        x = torch.rand((1, channels, *size), generator=generator(seed))
        for window in tiles(size, 50):
            field.write(window, window.of(x))
        steps = {np.uint8: 255, np.uint16: 65535}.get(dtype, 2**30)
        found = field.read(Window.whole(size))
        torch.testing.assert_close(found, x, rtol=0, atol=0.5001 / steps + 1e-7)
        middle = Window(size[0] // 3, size[1] // 3, size[0], size[1])
        assert torch.equal(field.read(middle), middle.of(found))
        assert file.seek(0, os.SEEK_END) == start + field.bytes


def test_temporary_files_have_no_name(
    stylizer: Stylizer, style: Style, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that nothing is left of them, whatever happens; the work needs them all the same."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    stylizer(noise((130, 130)), style, tile=64, progress=lambda _: seen.append(list(tmp_path.iterdir())))
    assert seen and not any(seen)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match=r"no temporary file: .*TMPDIR"):
        stylizer(noise((130, 130)), style, tile=64)


def test_a_full_disk_is_one_line(stylizer: Stylizer, style: Style, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def seek(self, _: int) -> None: ...
        def close(self) -> None: ...
        def write(self, _: memoryview) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("wct.canvas.scratch", Full)
    with pytest.raises(OutputError, match=r"temporary file: No space left on device; set TMPDIR") as caught:
        stylizer(noise((130, 130)), style, tile=64)
    assert "\n" not in str(caught.value)


def test_too_little_room_is_found_before_the_work() -> None:
    check_space(1)
    with pytest.raises(OutputError, match=r"GB free; temporary files need 1000000.0 GB"):
        check_space(10**15)


def test_the_windows_are_as_large_as_memory_allows(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, cpu = tiny_model.card.spec, torch.device("cpu")
    monkeypatch.setattr(memory, "free_memory", lambda _: 2 * 10**6 * pixel_bytes(spec))
    assert choose_side((1000, 1000), spec, cpu) is None
    side = choose_side((1000, 1001), spec, cpu)
    assert side is not None and side % 32 == 0 and 700 < side < 1000
    monkeypatch.setattr(memory, "free_memory", lambda _: 0)
    assert choose_side((1000, 1001), spec, cpu) == memory.SMALLEST


def test_memory_that_runs_out_makes_the_windows_smaller(
    stylizer: Stylizer, style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, content = Combined.read, noise((200, 300))

    def limited(self: Combined, window: Window) -> Tensor:
        if self.level == 0 and max(window.size) > 260:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return read(self, window)

    wanted = stylizer(content, style)
    monkeypatch.setattr(Combined, "read", limited)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = stylizer(content, style)
    told = [str(one.message) for one in caught if issubclass(one.category, PictureWarning)]
    assert told[0] == "memory ran out; again with windows of 128 pixels"
    assert levels_apart(found, wanted)[0] <= 1
    with pytest.raises(RuntimeError, match="allocate"):
        stylizer(content, style, tile=None)


@pytest.mark.parametrize("tile", [0, -5, "large", 2.5])
def test_other_tiles_are_refused(stylizer: Stylizer, style: Style, tile: Any) -> None:
    with pytest.raises(UsageError, match="needs auto, or the side"):
        stylizer(noise((20, 20)), style, tile=tile)


def test_progress_goes_by_windows(stylizer: Stylizer, style: Style) -> None:
    seen: list[Progress] = []
    stylizer(noise((200, 150)), style, tile=64, progress=seen.append)
    done = [one.done for one in seen]
    assert done == sorted(done) and done[-1] == seen[-1].total == LOOK.steps + 1
    assert any(one.done % 1 for one in seen)


def test_a_plan_is_what_a_stylisation_does(stylizer: Stylizer, style: Style) -> None:
    content = noise((70, 90))
    plan = stylizer.plan([content], style, alpha=0.8, passes=2)
    torch.testing.assert_close(
        stylizer(content, plan).rgb, stylizer(content, style, alpha=0.8, passes=2).rgb, rtol=0, atol=1e-4
    )
    others: list[dict[str, Any]] = [{"alpha": 0.5}, {"preview": 32}, {"look": PHOTO}]
    for other_settings in others:
        with pytest.raises(UsageError, match="a plan has its own look"):
            stylizer(content, plan, **other_settings)
    other = noise((50, 66), 5)
    made = stylizer(other, plan)
    assert made.size == (50, 66) and not torch.allclose(made.rgb, stylizer(other, style).rgb, atol=1e-2)
    assert (
        levels_apart(stylizer(noise((150, 203)), plan, tile=64), stylizer(noise((150, 203)), plan, tile=None))[0] <= 1
    )


def test_the_pictures_of_a_plan_are_windows_of_one(stylizer: Stylizer, style: Style) -> None:
    """Statistics of relu1_1 only depend on near neighbours: those of two halves are those of the whole."""
    left, right = noise((64, 64)), noise((64, 48), 1)
    both = stylizer.plan([torch.cat([left, right], 2)], style, levels=(1,))
    parts = stylizer.plan([left, right], style, levels=(1,))
    torch.testing.assert_close(parts.maps[0, 1].offset, both.maps[0, 1].offset, rtol=0.05, atol=0.05)
    alone = stylizer.plan([left], style, levels=(1,))
    assert not torch.allclose(parts.maps[0, 1].offset, alone.maps[0, 1].offset, rtol=0, atol=1e-3)
    with pytest.raises(UsageError, match="no picture to plan for"):
        stylizer.plan([], style)


def test_between_two_plans(stylizer: Stylizer, style: Style) -> None:
    content, other = noise((48, 48)), stylizer.style(0.3 * noise((40, 40), 3))
    a, b = stylizer.plan([content], style), stylizer.plan([content], other)
    for t, end in ((0.0, a), (1.0, b)):
        torch.testing.assert_close(
            stylizer(content, a.between(b, t)).rgb, stylizer(content, end).rgb, rtol=0, atol=1e-4
        )
    middle = stylizer(content, a.between(b, 0.5)).rgb
    assert all(not torch.allclose(middle, stylizer(content, end).rgb, atol=1e-2) for end in (a, b))
    for t, plan in ((1.5, b), (0.5, stylizer.plan([content], other, levels=(1,)))):
        with pytest.raises(UsageError):
            a.between(plan, t)


def test_memory_merges_and_fades(stylizer: Stylizer, style: Style) -> None:
    first, second = noise((64, 64)), 0.5 * noise((64, 64), 2)
    plain = stylizer(second, style).rgb
    memory = Memory(0.0)
    stylizer(first, style, memory=memory)
    assert torch.equal(stylizer(second, style, memory=memory).rgb, plain)
    memory = Memory(0.5)
    stylizer(first, style, memory=memory)
    made = stylizer(second, style, memory=memory).rgb
    assert not torch.allclose(made, plain, atol=1e-2)
    for _ in range(40):
        made = stylizer(second, style, memory=memory).rgb
    torch.testing.assert_close(made, plain, rtol=0, atol=1e-3)
    with pytest.raises(UsageError, match="keep is 1"):
        Memory(1.0)


def test_what_is_told_apart_from_running_out_of_memory(stylizer: Stylizer, style: Style) -> None:
    def broken(_: Progress) -> None:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        stylizer(noise((20, 20)), style, progress=broken)
    said = "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "unable to find an engine to execute this"
    assert all(out_of_memory(RuntimeError(words)) for words in said)
    assert not out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))


def test_a_contents_colours_are_those_of_its_visible_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wct.content._SIDE", 32)
    alpha = np.zeros((90, 100), np.uint8)
    alpha[:, 70:] = 9
    found = Content.of(Picture(noise((90, 100)), alpha)).colors().mean
    torch.testing.assert_close(found, noise((90, 100))[:, :, 70:].mean((1, 2)).double(), rtol=0, atol=1e-6)
