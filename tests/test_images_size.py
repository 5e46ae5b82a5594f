"""Sizes, resizing and folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wct.errors import InputError, UsageError
from wct.images import Picture, fit, list_pictures, resize, resize_alpha

SIDE = st.integers(1, 40)


@pytest.mark.parametrize(
    ("size", "short", "wanted"),
    [
        ((100, 200), 50, (50, 100)),
        ((200, 100), 50, (100, 50)),
        ((3, 3), 7, (7, 7)),
        ((1, 1), 5, (5, 5)),
        ((600, 401), 512, (766, 512)),
        ((1000, 1001), 1, (1, 1)),
    ],
)
def test_fit(size: tuple[int, int], short: int, wanted: tuple[int, int]) -> None:
    assert fit(size, short) == wanted


@pytest.mark.parametrize(("size", "short"), [((0, 4), 2), ((4, 0), 2), ((4, 4), 0), ((4, 4), -1)])
def test_fit_refuses_sides_below_one(size: tuple[int, int], short: int) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        fit(size, short)


@given(SIDE, SIDE, SIDE, SIDE)
def test_resize_gives_exactly_the_size_and_keeps_a_flat_colour(h: int, w: int, height: int, width: int) -> None:
    rgb = torch.tensor([0.2, 0.5, 1.0])[:, None, None].expand(3, h, w).contiguous()
    found = resize(rgb, (height, width))
    assert found.shape == (3, height, width)
    assert torch.allclose(found, rgb[:, :1, :1].expand_as(found), atol=1e-5)
    alpha = resize_alpha(np.full((h, w), 65535, np.uint16), (height, width))
    assert alpha.shape == (height, width) and alpha.dtype == np.uint16 and (alpha == 65535).all()


def test_resize_stays_in_range_and_averages_when_shrinking() -> None:
    checker = (torch.arange(64)[:, None] + torch.arange(64)) % 2.0
    small = resize(checker.expand(3, 64, 64).contiguous(), 8)
    assert small.shape == (3, 8, 8) and torch.allclose(small, torch.tensor(0.5), atol=0.05)
    edge = torch.zeros(3, 8, 8)
    edge[:, :, 4:] = 1
    large = resize(edge, 31)
    assert large.min() == 0 and large.max() == 1


def test_the_same_size_is_the_same_tensor() -> None:
    rgb, alpha = torch.rand(3, 5, 7), np.zeros((5, 7), np.uint8)
    assert resize(rgb, (5, 7)) is rgb and resize(rgb, 5) is rgb
    assert resize_alpha(alpha, (5, 7)) is alpha


@pytest.mark.parametrize("size", [0, -3, (0, 4), (4, -1)])
def test_resize_refuses_sides_below_one(size: int | tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        resize(torch.rand(3, 4, 4), size)
    with pytest.raises(UsageError, match="1 or more"):
        resize_alpha(np.zeros((4, 4), np.uint8), size)


def test_hidden_colours_do_not_bleed_when_a_picture_is_resized() -> None:
    rgb = torch.zeros(3, 32, 32)
    rgb[0, :, 16:] = 1  # visible red beside hidden green
    rgb[1, :, :16] = 1
    alpha = np.zeros((32, 32), np.uint8)
    alpha[:, 16:] = 255
    found = Picture(rgb, alpha, "logo").resized(13)
    assert found.size == (13, 13) and found.name == "logo" and found.alpha is not None
    visible = torch.from_numpy(found.alpha > 0)
    assert found.rgb[1][visible].max() < 0.02 and found.rgb[0][visible].min() > 0.98
    assert found.rgb[1, :, 0].min() > 0.98


def test_an_opaque_picture_is_resized() -> None:
    assert Picture(torch.rand(3, 8, 6)).resized(3).size == (4, 3)
    half = Picture(torch.rand(3, 8, 6), np.full((8, 6), 128, np.uint8)).resized((2, 9))
    assert half.size == (2, 9) and half.alpha is not None and (half.alpha == 128).all()


def test_list_pictures(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "sub/c.webp", ".git/d.png", "sub/e.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list_pictures(tmp_path) == [tmp_path / "a.png", tmp_path / "b.JPG"]
    assert list_pictures(tmp_path, recursive=True) == [*list_pictures(tmp_path), tmp_path / "sub" / "c.webp"]


def test_list_pictures_refuses_what_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    for folder in (tmp_path / "missing", tmp_path / "a.png"):
        with pytest.raises(InputError, match="cannot be listed"):
            list_pictures(folder)
