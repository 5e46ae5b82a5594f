"""`wct stylize` with regions, masks, maps, colours, previews and photos: real files, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from shell import Call, picture, run

from wct.cli.options import WeightedPath, parse_weighted
from wct.cli.regions import parse_region
from wct.errors import UsageError
from wct.models import Model
from wct.stylizer import Stylizer

HEIGHT, WIDTH = 64, 160
LEFT, RIGHT = slice(0, WIDTH // 2), slice(WIDTH // 2, WIDTH)


def mask(path: Path, inside: slice, size: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    """Write a mask that is white in some columns."""
    pixels = np.zeros(size, np.uint8)
    pixels[:, inside] = 255
    Image.fromarray(pixels).save(path)


def painted(path: Path, left: str, right: str, size: tuple[int, int]) -> None:
    """Write a map of two regions."""
    image = Image.new("RGB", size[::-1], left)
    image.paste(right, (size[1] // 2, 0, *size[::-1]))
    image.save(path)


def pixels(data: bytes | Path) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data) if isinstance(data, bytes) else data) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A photo and two style pictures, of (64, 160) and (80, 120) pixels, with masks and maps."""
    picture(tmp_path / "photo.png", (HEIGHT, WIDTH))
    for seed, name in ((1, "wave.png"), (2, "leaf.png")):
        picture(tmp_path / name, (80, 120), seed=seed)
    mask(tmp_path / "left.png", LEFT)
    mask(tmp_path / "right.png", RIGHT)
    mask(tmp_path / "all.png", slice(None))
    mask(tmp_path / "none.png", slice(0))
    mask(tmp_path / "small.png", LEFT, (HEIGHT, 99))
    mask(tmp_path / "wave-left.png", slice(0, 60), (80, 120))
    painted(tmp_path / "map.png", "red", "blue", (HEIGHT, WIDTH))
    painted(tmp_path / "wave-map.png", "blue", "red", (80, 120))
    painted(tmp_path / "wave-red.png", "lime", "red", (80, 120))
    painted(tmp_path / "wave-lime.png", "lime", "black", (80, 120))
    return tmp_path


Made = Callable[..., bytes]


@pytest.fixture
def made(call: Call, files: Path, tiny_folder: Path) -> Made:
    """The PNG that `wct stylize photo.png …` makes, without a word."""

    def made(*arguments: object) -> bytes:
        found = call("stylize", files / "photo.png", *arguments, "-o", "-", "--model", tiny_folder)
        assert (found.status, found.err) == (0, ""), found
        return found.out

    return made


def test_a_process_puts_styles_where_masks_are(files: Path, tiny_folder: Path) -> None:
    regions = ["--region", "left.png=wave.png", "--region", "right.png=keep"]
    found = run("stylize", "photo.png", *regions, "-o", "out.png", "--model", tiny_folder, cwd=files)
    assert (found.status, found.out, found.err) == (0, b"", f"out.png: written, {WIDTH}x{HEIGHT}\n")
    photo, out = pixels(files / "photo.png"), pixels(files / "out.png")
    assert np.array_equal(out[:, RIGHT], photo[:, RIGHT])
    assert np.abs(out[:, LEFT].astype(int) - photo[:, LEFT]).mean() > 5


def test_each_half_takes_its_style(made: Made) -> None:
    both = pixels(made("--region", "left.png=wave.png", "--region", "right.png=leaf.png", "--levels", "1"))
    for name, side, inside in (("wave.png", "left", slice(0, 75)), ("leaf.png", "right", slice(85, WIDTH))):
        alone = pixels(made("--region", f"{side}.png={name}", "--levels", "1"))
        assert np.abs(both[:, inside].astype(int) - alone[:, inside]).max() <= 1
    assert made("--region", "left.png=wave.png", "leaf.png", "--levels", 1) == made(
        "--region", "right.png=leaf.png", "wave.png", "--levels", 1
    )


def test_a_mask_is_a_region_with_the_rest_kept(made: Made, files: Path) -> None:
    masked = made("wave.png", "--mask", "left.png")
    assert masked == made("--region", "left.png=wave.png")
    assert masked == made("wave.png", "--region", "right.png=keep")
    assert np.array_equal(pixels(masked)[:, RIGHT], pixels(files / "photo.png")[:, RIGHT])
    blended = made("wave.png", "leaf.png", "--mask", "left.png")
    assert blended != masked
    assert np.array_equal(pixels(blended)[:, RIGHT], pixels(files / "photo.png")[:, RIGHT])


def test_a_style_has_a_mask(made: Made) -> None:
    masked = made("wave.png", "--style-mask", "wave-left.png")
    assert masked != made("wave.png")
    by_region = made("--region", "all.png=wave.png=wave-left.png")
    assert np.abs(pixels(masked).astype(int) - pixels(by_region)).max() <= 1


def test_names_with_equals_signs(made: Made, files: Path) -> None:
    wanted = made("--region", "left.png=wave.png=wave-left.png")
    for old, new in (("left.png", "a=b.png"), ("wave.png", "c=d=e.png"), ("wave-left.png", "=f.png")):
        (files / old).rename(files / new)
    assert made("--region", "a=b.png=c=d=e.png==f.png") == wanted
    (files / "wave-left.png").write_bytes((files / "=f.png").read_bytes())
    assert made("--region", "a=b.png=c=d=e.png=wave-left.png") == wanted


def test_regions_in_their_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_region("a.png=b.png") == ("a.png", "b.png", None)
    assert parse_region("a.png=b.png=c.png") == ("a.png", "b.png", "c.png")
    assert parse_region("a.png=keep") == ("a.png", "keep", None)
    (tmp_path / "b=c.png").touch()
    assert parse_region("a.png=b=c.png") == ("a.png", "b=c.png", None)
    assert parse_region("b=c.png=d.png") == ("b=c.png", "d.png", None)
    for wrong in ("", "a.png", "a.png=", "=b.png", "=", "a.png=b.png=", "a.png==c.png"):
        with pytest.raises(UsageError, match="needs MASK=STYLE"):
            parse_region(wrong)


def test_regions_by_colour(made: Made) -> None:
    """The same colour in both maps is the same region, here left from right and right from left."""
    found = made("wave.png", "--segments", "map.png", "wave-map.png")
    mask(Path("wave-right.png"), slice(60, 120), (80, 120))
    crossed = ["left.png=wave.png=wave-right.png", "right.png=wave.png=wave-left.png"]
    wanted = made(*(word for region in crossed for word in ("--region", region)))
    assert np.abs(pixels(found).astype(int) - pixels(wanted)).max() <= 1
    assert found != made("wave.png")


@pytest.mark.usefixtures("files")
def test_a_colour_that_the_style_lacks_warns(call: Call, tiny_folder: Path) -> None:
    maps = "--segments", "map.png", "wave-red.png"
    found = call("stylize", "photo.png", "wave.png", *maps, "-o", "out.png", "--model", tiny_folder)
    assert (found.status, found.out) == (0, b"")
    warning, written = found.err.splitlines()
    assert warning.startswith("warning: wave-red.png: has no colour #0000ff") and written.startswith("out.png: written")


def test_a_small_region_warns(call: Call, files: Path, tiny_folder: Path) -> None:
    mask(files / "spot.png", slice(0, 10))
    regions = ["--region", "spot.png=wave.png", "leaf.png"]
    found = call("stylize", "photo.png", *regions, "-o", "-", "--model", tiny_folder)
    assert found.status == 0
    assert [
        line.startswith("warning: the region of style wave.png has only 640") for line in found.err.splitlines()
    ] == [True]


def test_a_small_mask_of_a_style_warns(call: Call, files: Path, tiny_folder: Path) -> None:
    mask(files / "spot.png", slice(0, 10), (80, 120))
    mask(files / "whole.png", slice(None), (80, 120))
    for name, few in (("spot.png", True), ("wave-left.png", False), ("whole.png", False)):
        found = call("stylize", "photo.png", "wave.png", "--style-mask", name, "-o", "-", "--model", tiny_folder)
        assert found.status == 0
        assert found.err.startswith("warning: the mask of style wave.png has only 800 pixels") == few, found


def test_masks_and_maps_may_come_through_a_pipe(files: Path, tiny_folder: Path) -> None:
    data = (files / "left.png").read_bytes()
    rest = ["-o", "-", "--model", tiny_folder]
    piped = run("stylize", "photo.png", "--region", "-=wave.png", *rest, cwd=files, stdin=data)
    assert (piped.status, piped.err) == (0, "")
    wanted = run("stylize", "photo.png", "wave.png", "--mask", "left.png", *rest, cwd=files)
    assert piped.out == wanted.out


@pytest.mark.parametrize(
    "option",
    [
        ("--color", "content"),
        ("--color", "luminance"),
        ("--photo",),
        ("--preview", 16),
        ("--rank", 2),
        ("--passes", 2),
        ("--style-scale", 0.5),
        ("--transform", "swap"),
        ("--transform", "adain"),
        ("--detail", 0.5),
        ("--grain", 6),
        ("--size", 40),
    ],
)
def test_every_option_goes_with_regions(made: Made, files: Path, option: tuple[object, ...]) -> None:
    plain, changed = pixels(made("wave.png")), pixels(made("wave.png", *option))
    assert not np.array_equal(changed, plain)
    again, photo = pixels(made("wave.png", "--mask", "left.png", *option)), pixels(files / "photo.png")
    assert again.shape == changed.shape
    if changed.shape == photo.shape:
        assert np.array_equal(again[:, RIGHT], photo[:, RIGHT])
        assert not np.array_equal(again[:, LEFT], photo[:, LEFT])


@pytest.mark.parametrize(
    "settings",
    [{"preview": 16}, {"preview": 16, "size": 32}, {"color": "content", "color_strength": 0.5}, {"transform": "swap"}],
)
def test_the_command_line_makes_what_the_library_makes(
    made: Made, files: Path, tiny_model: Model, settings: dict[str, Any]
) -> None:
    options = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]
    content, style = (str(files / name) for name in ("photo.png", "wave.png"))
    wanted = np.asarray(Stylizer(tiny_model)(content, style, **settings).to_pil())
    assert np.array_equal(pixels(made("wave.png", *options)), wanted)


@pytest.mark.parametrize("option", ["--preview", "--size"])
def test_a_short_side_is_exact(made: Made, option: str) -> None:
    assert pixels(made("wave.png", "--mask", "left.png", option, 16)).shape == (16, 40, 3)


def test_options_that_change_nothing(made: Made) -> None:
    plain = pixels(made("wave.png"))
    for option in (
        ("--preview", HEIGHT),
        ("--preview", 2000),
        ("--rank", 100),
        ("--passes", 1),
        ("--style-scale", 1),
        ("--color", "luminance", "--color-strength", 0),
        ("--mode", "single", "--transform", "ot", "--blend", "maps"),
    ):
        assert np.array_equal(pixels(made("wave.png", *option)), plain), option
    assert np.array_equal(pixels(made("wave.png", "--rank", 0)), pixels(made("wave.png", "--alpha", 0)))


def test_a_photo_of_strength_zero_is_the_photo(made: Made, files: Path) -> None:
    found = pixels(made("wave.png", "--photo", "--alpha", 0, "--detail", 0))
    assert np.abs(found.astype(int) - pixels(files / "photo.png")).max() <= 1


def test_luminance_leaves_grey_grey(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    picture(tmp_path / "grey.png", mode="L")
    picture(tmp_path / "wave.png", seed=1)
    base = ["stylize", "grey.png", "wave.png", "-o", "-", "--model", tiny_folder]
    grey, colours = (pixels(call(*base, *option).out).astype(int) for option in (["--color", "luminance"], []))
    assert np.ptp(grey, axis=2).max() <= 1
    assert np.ptp(colours, axis=2).max() > 20


def test_two_passes_are_two_calls(made: Made, call: Call, tiny_folder: Path) -> None:
    call("stylize", "photo.png", "wave.png", "--bits", 16, "-o", "once.png", "--model", tiny_folder, "--levels", "3,1")
    again = call("stylize", "once.png", "wave.png", "-o", "-", "--model", tiny_folder, "--levels", "3,1")
    twice = made("wave.png", "--passes", 2, "--levels", "3,1")
    assert np.abs(pixels(again.out).astype(int) - pixels(twice)).max() <= 1


def test_weights_by_level(made: Made) -> None:
    """What has no weight at a level plays no part there."""

    def only(level: int, *styles: str) -> bytes:
        return made(*styles, "--levels", level)

    mixed = "wave.png:3=0,1=2", "leaf.png:1=0"
    assert only(3, *mixed) == only(3, "leaf.png")
    assert only(1, *mixed) == only(1, "wave.png")
    assert only(2, *mixed) == only(2, "wave.png", "leaf.png")
    assert len({made(*mixed), made("wave.png"), made("leaf.png"), made("wave.png", "leaf.png")}) == 4


def test_the_barycentre_is_another_blend(made: Made) -> None:
    blended = made("wave.png", "leaf.png", "--blend", "barycentre")
    assert blended != made("wave.png", "leaf.png")
    assert made("wave.png:3=1", "--blend", "barycentre") == made("wave.png")


def test_paths_with_weights_by_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png:5=1").touch()
    assert parse_weighted("a.png:5=1,4=0.2") == WeightedPath("a.png", {5: 1.0, 4: 0.2})
    assert parse_weighted("b.png:5=1") == WeightedPath("b.png:5=1")
    assert parse_weighted("C:\\x=y.png") == WeightedPath("C:\\x=y.png")
    for wrong in ("a.png:5=", "a.png:=1", "a.png:x=1", "a.png:5=1,", "a.png:5=1,4"):
        with pytest.raises(UsageError, match="is not a number"):
            parse_weighted(wrong)


def test_no_mask_and_no_map_is_overwritten(call: Call, files: Path, tiny_folder: Path) -> None:
    for words in (
        ["wave.png", "--mask", "left.png"],
        ["--region", "left.png=wave.png"],
        ["--region", "all.png=wave.png=left.png"],
        ["wave.png", "--style-mask", "left.png"],
        ["wave.png", "--segments", "left.png", "wave-map.png"],
    ):
        before = (files / "left.png").read_bytes()
        found = call("stylize", "photo.png", *words, "-o", "left.png", "--overwrite", "--model", tiny_folder)
        assert "never overwritten" in found.refused()
        assert (files / "left.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no style given"),
        (["--region", "left.png=keep"], "no style given"),
        (["--mask", "left.png"], "no style given"),
        (["--region", "left.png"], "region left.png: needs MASK=STYLE"),
        (["--region", "left.png="], "needs MASK=STYLE"),
        (["--region", "left.png=keep=gone.png"], "needs MASK=STYLE"),
        (["--region", "gone.png=wave.png"], "gone.png: no such file"),
        (["--region", "left.png=gone.png"], "gone.png: no such file"),
        (["--region", "left.png=wave.png=gone.png"], "gone.png: no such file"),
        (["--region", "small.png=wave.png"], "small.png: is 99x64 pixels; needed 160x64"),
        (["--region", "left.png=wave.png=left.png"], "left.png: is 160x64 pixels; needed 120x80"),
        (["--region", "none.png=wave.png"], "black everywhere"),
        (["--region", "photo.png=wave.png"], "photo.png: has colours"),
        (["wave.png", "--region", "all.png=keep"], "no pixel is left for a style"),
        (["--region", "-=wave.png", "--region", "-=leaf.png"], "standard input holds one picture"),
        (["wave.png", "--mask", "small.png"], "small.png: is 99x64"),
        (["wave.png", "--mask", "gone.png"], "gone.png: no such file"),
        (["wave.png", "--mask", "left.png", "--region", "right.png=leaf.png"], "--mask and --region: found both"),
        (["wave.png", "--style-mask", "left.png"], "left.png: is 160x64"),
        (["wave.png", "leaf.png", "--style-mask", "wave-left.png"], "--style-mask: found 2 styles"),
        (["--region", "left.png=wave.png", "--style-mask", "wave-left.png"], "--style-mask: found 0 styles"),
        (["wave.png", "--segments", "map.png"], "--segments"),
        (["wave.png", "--segments", "map.png", "gone.png"], "gone.png: no such file"),
        (["wave.png", "--segments", "map.png", "map.png"], "map.png: is 160x64 pixels; needed 120x80"),
        (["wave.png", "--segments", "photo.png", "wave-map.png"], "photo.png: looks like a photo"),
        (["wave.png", "--segments", "map.png", "wave-lime.png"], "wave-lime.png: has none of the colours"),
        (["wave.png", "leaf.png", "--segments", "map.png", "wave-map.png"], "exactly one style picture"),
        (["wave.png", "--mask", "left.png", "--segments", "map.png", "wave-map.png"], "no masks or regions"),
        (["wave.png", "--color", "contents"], "color 'contents' is unknown"),
        (["wave.png", "--color", "content", "--color-strength", 2], "color_strength is 2"),
        (["wave.png", "--color-strength", "nan"], "color_strength is nan"),
        (["wave.png", "--detail", 1.5], "detail is 1.5"),
        (["wave.png", "--grain", -1], "grain is -1"),
        (["wave.png", "--grain", 4, "--photo"], "grain 4: nothing would make strokes of it"),
        (["wave.png", "--grain", 2.5, "--levels", "3,2,1"], "grain 2.5: nothing would make strokes of it"),
        (["wave.png", "--photo", "--mode", "cascade"], "--photo and --mode cascade"),
        (["wave.png", "--preview", 0], "--preview"),
        (["wave.png", "--rank", -1], "--rank"),
        (["wave.png", "--rank", 3, "--transform", "swap"], "rank is 3 with transform swap"),
        (["wave.png", "--passes", 0], "--passes"),
        (["wave.png", "--style-scale", 0], "scale of the style is 0"),
        (["wave.png", "--style-scale", 5], "--style-scale"),
        (["wave.png", "--blend", "mean"], "blend 'mean' is unknown"),
        (["wave.png:9=1"], "weight of level 9"),
        (["wave.png:5=much"], "is not a number"),
        (["wave.png:5=0"], "level 5: all weights are 0"),
        (["wave.png:5=-1", "leaf.png"], "level 5: weight -1"),
        (["wave.png:5=0", "leaf.png:5=0"], "level 5: all weights are 0"),
    ],
)
def test_what_cannot_work_is_one_line_and_leaves_nothing(
    call: Call, files: Path, tiny_folder: Path, arguments: list[object], words: str
) -> None:
    before = sorted(files.iterdir())
    assert words in call("stylize", "photo.png", *arguments, "--model", tiny_folder).refused()
    assert sorted(files.iterdir()) == before


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--color", "content"), "holds its own colours"),
        (("--transform", "swap"), "keeps no patches"),
        (("--segments", "map.png", "wave-map.png"), "is a style file, which has no regions"),
    ],
)
def test_what_needs_the_picture_refuses_a_style_file(
    call: Call, tiny_folder: Path, option: tuple[str, ...], words: str
) -> None:
    assert call("style", "wave.png", "-o", "wave.style", "--model", tiny_folder).status == 0
    assert words in call("stylize", "photo.png", "wave.style", *option, "--model", tiny_folder).refused()


def test_regions_take_style_files(made: Made, call: Call, tiny_folder: Path) -> None:
    assert call("style", "wave.png", "-o", "wave.style", "--model", tiny_folder).status == 0
    regions = ["left.png=wave.style", "right.png=leaf.png"]
    found = made(*(word for region in regions for word in ("--region", region)))
    assert found == made("--region", "left.png=wave.png", "--region", "right.png=leaf.png")
