"""Files, bytes, streams, arrays and tensors: any source, any size, any thread, one picture."""

from __future__ import annotations

import io
import os
import sys
import threading
import types
import warnings
from pathlib import Path
from typing import Any

import hostile
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageFile
from pixels import difference, same

from wct.errors import InputError, UsageError
from wct.images import Picture, read


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_the_content_decides_and_not_the_extension(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.txt"
    path.write_bytes(hostile.file_of(hostile.tiles(), kind))
    assert read(path).size == (16, 24)
    assert read(str(path)).name == str(path)


def test_all_sources_give_the_same_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = hostile.file_of(hostile.tiles())
    path = tmp_path / "ein Bild ä.png"
    path.write_bytes(data)
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(data)))
    alpha = np.full((16, 24, 1), 255, np.uint8)
    floats = (hostile.TILES / 255).astype(np.float64)
    sources: list[Any] = [path, "-", data, bytearray(data), io.BytesIO(data), hostile.tiles(), hostile.TILES]
    sources += [hostile.TILES.astype(np.uint16) * 257, (hostile.TILES.astype(np.uint16) * 257).astype(">u2")]
    sources += [floats, np.dstack((hostile.TILES, alpha)), torch.from_numpy(floats).permute(2, 0, 1)]
    with path.open("rb") as stream:
        for source in [*sources, stream]:
            assert difference(read(source), hostile.TILES) < 1e-3, type(source)


def test_a_picture_is_returned_as_it_is() -> None:
    picture = Picture(torch.rand(3, 2, 2))
    assert read(picture) is picture


def test_arrays_keep_their_alpha_and_their_values() -> None:
    for dtype in (np.uint8, np.uint16):
        pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, (3, 4, 4)).astype(dtype)
        found = read(pixels)
        assert same(found.alpha, pixels[..., 3])
    floats = np.array([[[0.0, 0.5, 1.0, 0.2]]])
    found = read(floats)
    assert found.rgb.flatten().tolist() == [0, 0.5, 1] and same(found.alpha, np.array([[51]], np.uint8))
    before = hostile.TILES.copy()
    read(before).rgb.zero_()
    assert np.array_equal(before, hostile.TILES)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 0), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros((4, 4), np.int64),
        np.full((4, 4), 200.0),
        np.full((4, 4), np.nan),
        np.array([["a"]], object),
        torch.zeros(3, 0, 4),
        torch.zeros(1, 4, 4),
        torch.zeros(3, 4, 4, dtype=torch.uint8),
        torch.full((3, 2, 2), float("inf")),
        Image.new("RGB", (0, 3)),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(source: object) -> None:
    with pytest.raises(InputError) as caught:
        read(source)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", [None, 3, ["a.png"], io.StringIO("text")])
def test_a_source_of_another_kind_is_a_usage_error(source: object) -> None:
    with pytest.raises(UsageError, match="needed a path"):
        read(source)  # type: ignore[arg-type]


def test_options_that_make_no_sense_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="max_pixels"):
        read(b"", max_pixels=0)
    with pytest.raises(UsageError, match="EPS"):
        read(b"", formats=["PNG", "EPS"])


@pytest.mark.parametrize(
    "pixels",
    [
        lambda: Picture(torch.zeros(1, 2, 2)),
        lambda: Picture(torch.zeros(3, 2, 2, dtype=torch.float64)),
        lambda: Picture(torch.zeros(3, 2, 2), np.zeros((2, 3), np.uint8)),
        lambda: Picture(torch.zeros(3, 2, 2), np.zeros((2, 2), np.float32)),
    ],
)
def test_a_picture_whose_parts_do_not_fit_is_refused(pixels: object) -> None:
    with pytest.raises(UsageError, match="found"):
        pixels()  # type: ignore[operator]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (15, 15), (13, 31), (801, 3)])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "JPEG", "WEBP"])
def test_every_size(kind: str, size: tuple[int, int]) -> None:
    assert read(hostile.file_of(Image.new("RGB", size[::-1], "red"), kind)).size == size


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4]))))
def test_png_pixels_come_in_and_go_out_exactly(pixels: np.ndarray) -> None:
    found = read(hostile.png(pixels))
    assert np.array_equal(np.asarray(found.to_pil()), pixels)


def test_reading_changes_no_global_state_in_any_thread() -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters))
    data, results = hostile.png(hostile.sixteen_bits(3)), []
    threads = [threading.Thread(target=lambda: results.append(read(data).rgb)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(torch.equal(results[0], other) for other in results)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before


def test_pillows_own_pixel_limit_plays_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for kind in ("PNG", "TIFF", "JPEG", "BMP"):
        assert read(hostile.file_of(hostile.tiles(), kind)).size == (16, 24)


@pytest.mark.parametrize("name", ["-leading.png", "ünïcödé 画.png", "two\nlines.png", "x" * 240 + ".png"])
def test_unusual_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read(name)
    assert "\n" not in str(caught.value)
    Path(name).write_bytes(hostile.file_of(hostile.tiles()))
    os.symlink(name, "link")
    assert read(name).size == read("link").size == (16, 24)
