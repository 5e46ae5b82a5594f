"""Masks from grey pictures and cut-outs, regions from pairs of colour-coded maps, in clean and in lossy files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hostile
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from wct.errors import InputError, UsageError
from wct.masks import MOST_SEGMENTS, Segment, read_mask, read_segments, resize_mask

SIDE = st.integers(1, 40)
GREY = np.arange(256, dtype=np.uint8).reshape(8, 32)
BLUE, GREEN, BLACK, WHITE, SILVER = (0, 0, 255), (0, 255, 0), (0, 0, 0), (255, 255, 255), (128, 128, 128)
SIZE = (180, 240)


def refused(source: Any, size: tuple[int, int]) -> str:
    with pytest.raises(InputError) as caught:
        read_mask(source, size)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rgba(grey: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    return np.dstack((grey, grey, grey, alpha))


def scene(*colors: tuple[int, int, int], scale: int = 1) -> Image.Image:
    """(180, 240): a ground of the first colour, and a disk, a triangle and a box of the others."""
    ground, disk, triangle, box = (*colors, *colors[:1] * 3)[:4]
    image = Image.new("RGB", (240 * scale, 180 * scale), ground)
    draw = ImageDraw.Draw(image)
    draw.rectangle([scale * v for v in (120, 20, 220, 90)], fill=box)
    draw.ellipse([scale * v for v in (20, 30, 140, 150)], fill=disk)
    draw.polygon([scale * v for v in (160, 170, 190, 110, 225, 165)], fill=triangle)
    return image


def segments(content: Any, style: Any, size: tuple[int, int] = SIZE) -> dict[tuple[int, int, int], Segment]:
    found = read_segments(content, style, size, size)
    assert torch.equal(sum((s.content for s in found), torch.zeros(size)), torch.ones(size))
    return {segment.color: segment for segment in found}


def assert_like(found: torch.Tensor, truth: Image.Image, color: tuple[int, int, int], wrong: float) -> None:
    wanted = torch.from_numpy((np.asarray(truth) == color).all(2)).float()
    assert found.shape == wanted.shape and found.dtype == torch.float32
    assert float((found - wanted).abs().mean()) <= wrong


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "CMYK"])
def test_grey_is_soft_and_white_is_inside(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "mask.tif"
    path.write_bytes(hostile.file_of(Image.fromarray(GREY).convert(mode), "TIFF"))
    mask = read_mask(path, (8, 32))
    assert mask.shape == (8, 32) and mask.dtype == torch.float32
    assert mask.min() == 0 and mask.max() == 1
    assert np.abs(mask.numpy() * 255 - GREY).max() < 1e-3


def test_a_black_and_white_bitmap_is_a_mask() -> None:
    bits = np.arange(96).reshape(8, 12) % 3 == 0
    assert np.array_equal(read_mask(Image.fromarray(bits), (8, 12)).numpy(), bits)


@given(hnp.arrays(np.uint16, st.tuples(SIDE, SIDE), elements=st.integers(0, 65535)))
def test_sixteen_bits_keep_their_precision(pixels: NDArray[Any]) -> None:
    pixels[0, 0] = 65535
    for channels in (1, 3):
        mask = read_mask(hostile.png(np.dstack([pixels] * channels)), pixels.shape)
        assert np.abs(mask.double().numpy() * 65535 - pixels).max() < 0.05
        assert mask.min() >= 0 and mask.max() == 1


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_a_jpeg_saved_in_colour_is_still_grey(quality: int) -> None:
    disk = scene(BLACK, WHITE)
    mask = read_mask(hostile.file_of(disk, "JPEG", quality=quality), SIZE)
    assert_like((mask > 0.5).float(), disk, WHITE, 0.005)


def test_colours_are_refused_and_a_tint_of_a_few_levels_is_not() -> None:
    tinted = np.dstack((GREY // 2 + 6, GREY // 2 + 3, GREY // 2))
    assert np.abs(read_mask(tinted, (8, 32)).numpy() * 255 - GREY // 2 - 3).max() < 1e-3
    tinted[3, 4] = 90, 70, 70
    assert refused(tinted, (8, 32)) == (
        "<array>: has colours; needs grey (white: inside) - for colour-coded regions use --segments"
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shade", [0, 1])
def test_the_alpha_of_a_cut_out_is_the_mask(dtype: Any, shade: int) -> None:
    top = np.iinfo(dtype).max
    alpha = GREY.astype(dtype) * (top // 255)
    hidden = np.where(alpha == 0, top // 3, shade * top).astype(dtype)
    mask = read_mask(hostile.png(rgba(hidden, alpha)), (8, 32))
    assert np.abs(mask.numpy() - alpha / top).max() < 1e-6


def test_a_photo_cut_out_of_its_background_is_a_mask() -> None:
    colours = hostile.tiles().resize((32, 8))
    colours.putalpha(Image.fromarray(GREY))
    assert np.abs(read_mask(hostile.file_of(colours, "WEBP", lossless=True), (8, 32)).numpy() * 255 - GREY).max() < 1e-3


def test_a_grey_picture_with_varying_alpha_is_ambiguous() -> None:
    assert "either could be the mask" in refused(rgba(GREY, GREY[::-1]), (8, 32))


@pytest.mark.parametrize("opacity", [255, 128, 0])
def test_an_alpha_that_does_not_vary_plays_no_part(opacity: int) -> None:
    mask = read_mask(rgba(GREY, np.full_like(GREY, opacity)), (8, 32))
    assert np.abs(mask.numpy() * 255 - GREY).max() < 1e-3


@pytest.mark.parametrize("size", [(8, 31), (16, 64), (32, 8), (4, 16)])
def test_another_size_is_refused_even_in_the_same_proportions(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "two\nlines.png"
    path.write_bytes(hostile.file_of(Image.fromarray(GREY)))
    found = refused(path, size)
    assert "two\\nlines.png: is 32x8 pixels; needed " in found
    assert f"{size[1]}x{size[0]} (width x height)" in found and "resize the mask" in found


def test_a_mask_is_turned_as_its_picture_is() -> None:
    stored = Image.fromarray(hostile.sideways(GREY, 6))
    mask = read_mask(hostile.file_of(stored, "PNG", exif=hostile.exif(6)), (8, 32))
    assert np.abs(mask.numpy() * 255 - GREY).max() < 1e-3


@pytest.mark.parametrize("top", [0, 1])
def test_a_black_mask_is_refused_and_so_is_one_of_zeros_and_ones(top: int) -> None:
    found = refused(np.eye(8, dtype=np.uint8) * top, (8, 8))
    assert f"is black everywhere (brightest: {top} of 255), so the region is empty; paint the region white" in found


def test_the_pixel_budget_holds_for_masks() -> None:
    with pytest.raises(InputError, match="budget"):
        read_mask(GREY, (8, 32), max_pixels=200)
    with pytest.raises(InputError, match="budget"):
        read_segments(scene(BLUE), scene(BLUE), SIZE, SIZE, max_pixels=200)


@given(hnp.arrays(np.float32, st.tuples(SIDE, SIDE), elements=st.floats(0, 1, width=32)), SIDE, SIDE)
def test_a_resized_mask_stays_in_range_and_keeps_what_is_in_it(pixels: NDArray[Any], height: int, width: int) -> None:
    pixels[pixels < 1e-5] = 0
    found = resize_mask(torch.from_numpy(pixels), (height, width))
    assert found.shape == (height, width) and found.dtype == torch.float32
    assert pixels.min() - 1e-6 <= found.min() and found.max() <= pixels.max() + 1e-6
    assert found.min() >= 0 and found.max() <= 1
    assert bool(found.any()) == bool(pixels.any())


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_shrinking_takes_the_mean_of_each_area(height: int, width: int, down: int, across: int, seed: int) -> None:
    mask = torch.rand(height * down, width * across, generator=torch.Generator().manual_seed(seed))
    wanted = mask.reshape(height, down, width, across).mean((1, 3))
    torch.testing.assert_close(resize_mask(mask, (height, width)), wanted)


def test_one_pixel_of_a_large_mask_is_not_lost() -> None:
    for at in ((0, 0), (999, 1499), (500, 3)):
        mask = torch.zeros(1000, 1500)
        mask[at] = 1
        assert resize_mask(mask, (7, 11)).max() > 0 and resize_mask(mask, (1003, 2)).max() > 0


def test_a_mask_is_not_resized_to_nothing() -> None:
    with pytest.raises(UsageError, match="1 or more"):
        resize_mask(torch.ones(3, 3), (0, 2))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_clean_maps_give_exactly_their_regions(kind: str, tmp_path: Path) -> None:
    content, style = scene(BLUE, GREEN, BLACK, WHITE), scene(WHITE, BLACK, GREEN, BLUE)
    for name, image in (("content", content), ("style", style)):
        (tmp_path / name).write_bytes(hostile.file_of(image, kind))
    found = segments(tmp_path / "content", tmp_path / "style")
    assert set(found) == {BLUE, GREEN, BLACK, WHITE}
    for color, segment in found.items():
        assert_like(segment.content, content, color, 0)
        assert segment.style is not None
        assert_like(segment.style, style, color, 0)
    areas = [float(segment.content.sum()) for segment in found.values()]
    assert areas == sorted(areas, reverse=True)


def test_palette_maps_and_maps_of_labels_are_told_apart_to_the_last_level() -> None:
    labels = np.zeros((60, 80), np.uint8)
    labels[:30, 10:40], labels[40:, :], labels[10:25, 50:70], labels[5, 5] = 1, 2, 3, 4
    palette = Image.fromarray(labels)
    palette.putpalette(bytes(value for k in range(5) for value in (k, 10 * k, 255 - k)))
    found = segments(hostile.file_of(palette), hostile.file_of(palette), (60, 80))
    assert set(found) == {(k, 10 * k, 255 - k) for k in range(4)}
    other = np.where(labels == 3, 4, labels).astype(np.uint8)
    found = segments(labels, other, (60, 80))
    assert sorted(color[0] for color in found) == [0, 1, 2, 3]
    assert [color[0] for color, segment in found.items() if segment.style is None] == [3]


ENCODINGS = {
    "jpeg": ("JPEG", {"quality": 75}),
    "rough jpeg": ("JPEG", {"quality": 40}),
    "webp": ("WEBP", {"quality": 75}),
    "avif": ("AVIF", {"quality": 60}),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_lossy_maps_give_their_regions_and_match_clean_ones(encoding: str) -> None:
    kind, options = ENCODINGS[encoding]
    content, style = scene(BLUE, WHITE, GREEN, BLACK), scene(GREEN, BLUE, BLACK, WHITE)
    lossy, clean = (hostile.file_of(content, kind, **options), hostile.file_of(style))
    found = read_segments(lossy, clean, SIZE, SIZE)
    truths = [min((BLUE, WHITE, GREEN, BLACK), key=lambda c: np.abs(np.subtract(c, s.color)).max()) for s in found]
    assert sorted(truths) == sorted((BLUE, WHITE, GREEN, BLACK))
    for truth, segment in zip(truths, found, strict=True):
        assert_like(segment.content, content, truth, 0.005)
        assert segment.style is not None
        assert_like(segment.style, style, truth, 0)


@pytest.mark.parametrize("resample", [Image.Resampling.BILINEAR, Image.Resampling.LANCZOS])
@pytest.mark.parametrize("scale", [1, 4])
def test_smooth_edges_are_no_regions_and_go_to_their_neighbours(resample: Image.Resampling, scale: int) -> None:
    colors = (BLACK, WHITE, SILVER, GREEN)
    large = scene(*colors, scale=4)
    smooth = large.resize((240, 180), resample) if scale == 4 else scene(*colors).resize((480, 360), resample)
    size = (smooth.height, smooth.width)
    truth = large.resize(smooth.size, Image.Resampling.NEAREST)
    found = segments(smooth, smooth, size)
    assert set(found) == set(colors)
    for color in colors:
        assert_like(found[color].content, truth, color, 0.012)
    # The edge of the white disk on black passes through the triangle's grey.
    assert not found[SILVER].content[:, : size[1] // 2].any()


def test_close_colours_with_smooth_edges_stay_two() -> None:
    colors = ((255, 6, 82), (255, 7, 71), (220, 220, 220), (230, 230, 230))
    smooth = scene(*colors, scale=3).resize((240, 180), Image.Resampling.BICUBIC)
    assert set(segments(smooth, smooth)) == set(colors)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_one_region(kind: str) -> None:
    data = hostile.file_of(scene(GREEN), kind)
    (segment,) = read_segments(data, scene(GREEN), SIZE, SIZE)
    assert segment.content.all() and segment.style is not None and segment.style.all()


@given(SIDE, st.integers(2, 40), st.integers(2, 40))
def test_maps_of_any_size(height: int, left: int, right: int) -> None:
    pixels = np.zeros((height, left + right, 3), np.uint8)
    pixels[:, left:] = 200, 0, 10
    found = segments(pixels, pixels, (height, left + right))
    assert set(found) == {BLACK, (200, 0, 10)} and found[BLACK].content.sum() == height * left


def test_colours_of_one_map_alone() -> None:
    found = segments(scene(BLUE, GREEN, BLACK), scene(BLUE, WHITE, BLACK))
    assert {color: segment.style is None for color, segment in found.items()} == {
        BLUE: False,
        GREEN: True,
        BLACK: False,
    }
    close = segments(scene((0, 0, 0), (10, 0, 0)), scene((0, 0, 0), (17, 0, 0)))
    assert close[0, 0, 0].style is not None and close[10, 0, 0].style is None
    with pytest.raises(InputError, match="has none of the colours of") as caught:
        read_segments(scene(BLUE, GREEN), scene(BLACK, WHITE), SIZE, SIZE)
    assert "\n" not in str(caught.value)


def test_specks_are_no_regions_and_small_regions_are() -> None:
    pixels = np.array(scene(BLUE, GREEN))
    pixels[2:5, 2:5], pixels[160:168, 10:18] = WHITE, BLACK
    found = segments(pixels, pixels)
    assert set(found) == {BLUE, GREEN, BLACK} and found[BLACK].content.sum() == 64
    assert found[BLUE].content[2:5, 2:5].all()


def test_small_regions_with_smooth_edges_are_regions() -> None:
    large = scene(BLUE, GREEN, scale=4)
    ImageDraw.Draw(large).rectangle((42, 642, 73, 673), fill=BLACK)
    smooth = large.resize((240, 180), Image.Resampling.BILINEAR)
    assert set(segments(smooth, smooth)) == {BLUE, GREEN, BLACK}


def photo(kind: str) -> Image.Image:
    """Shades, texture and noise, as no map has them."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] / 240
    texture = Image.fromarray(rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)).resize((240, 180))
    shades = {
        "gradient": np.dstack((x, y, 1 - x)) * 255,
        "texture": np.asarray(texture),
        "noise": rng.integers(0, 256, (*SIZE, 3)),
        "sky": np.where(y[..., None] < 0.3, 250, np.asarray(texture)),
    }
    return Image.fromarray(shades[kind].astype(np.uint8))


@pytest.mark.parametrize("encoding", ["PNG", "JPEG"])
@pytest.mark.parametrize("kind", ["gradient", "texture", "noise", "sky"])
def test_a_photo_is_no_map(kind: str, encoding: str) -> None:
    data = hostile.file_of(photo(kind), encoding)
    for pair in ((data, scene(BLUE)), (scene(BLUE), data)):
        with pytest.raises(InputError) as caught:
            read_segments(*pair, SIZE, SIZE)
        assert re.fullmatch(r"<bytes>: looks like a photo, .* 1 to 32 flat colours, .*", str(caught.value))


def test_the_number_of_regions_has_a_limit() -> None:
    labels = np.arange(MOST_SEGMENTS + 1, dtype=np.uint8).repeat(8)[None].repeat(40, axis=0)
    assert len(segments(labels[:, :-8], labels[:, :-8], (40, 8 * MOST_SEGMENTS))) == MOST_SEGMENTS
    with pytest.raises(InputError, match="1 to 32 flat colours"):
        read_segments(labels, labels, labels.shape, labels.shape)


def test_maps_are_refused_in_another_size_or_with_holes() -> None:
    with pytest.raises(InputError, match=r"is 240x180 pixels; needed 90x180"):
        read_segments(scene(BLUE), scene(BLUE), SIZE, (180, 90))
    holed = scene(BLUE, GREEN)
    holed.putalpha(Image.linear_gradient("L").resize(holed.size))
    with pytest.raises(InputError, match="has transparent pixels; a map of regions needs a colour for every pixel"):
        read_segments(hostile.file_of(holed), scene(BLUE), SIZE, SIZE)
