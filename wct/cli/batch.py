"""`wct batch`."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from wct.cli.looks import Color, ColorStrength, Detail, Levels, Mode, Passes, Photo, Rank, Strength, look_of
from wct.cli.options import (
    Alpha,
    Blend,
    Device,
    EncoderFile,
    MaxPixels,
    ModelName,
    Overwrite,
    Quality,
    Size,
    StyleScale,
    Transform,
    inputs_of,
    parse_weighted,
)
from wct.cli.terminal import bar, note, show_table
from wct.errors import UsageError
from wct.images.defaults import DEFAULT_MAX_PIXELS, DEFAULT_QUALITY
from wct.images.label import label
from wct.look import BLENDS, LOOK

if TYPE_CHECKING:
    from wct.batch import Outcome

__all__ = ["batch"]

FORMATS = ("png", "jpg", "tif", "webp", "avif")
STATUSES = ("done", "skipped", "failed")

Photos = Annotated[str, typer.Argument(metavar="PHOTOS", help="A folder of photos, or one photo.")]
Styles = Annotated[
    list[str],
    typer.Argument(
        metavar="STYLE...",
        help="Pictures or style files to take the style from, blended; path:2 weighs twice path:1, "
        "and path:5=1,4=0.2 has a weight for each level.",
        show_default=False,
    ),
]
Output = Annotated[
    str, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write, under the names of the photos.")
]
Recursive = Annotated[bool, typer.Option("--recursive", help="Photos in subfolders too; the tree is kept.")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="|".join(FORMATS),
        help="Of the results. Default: each photo's own; PNG for BMP and GIF.",
        show_default=False,
    ),
]
Report = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="What became of each photo, one JSON object a line; replaced by every run.",
        show_default=False,
    ),
]


def batch(
    photos: Photos,
    styles: Styles,
    output: Output,
    recursive: Recursive = False,
    extension: Format = None,
    report: Report = None,
    alpha: Alpha = LOOK.alpha,
    levels: Levels = None,
    strength: Strength = "",
    transform: Transform = LOOK.transform,
    rank: Rank = LOOK.rank,
    blend: Blend = BLENDS[0],
    style_scale: StyleScale = 1.0,
    color: Color = LOOK.color,
    color_strength: ColorStrength = LOOK.color_strength,
    photo: Photo = False,
    detail: Detail = None,
    passes: Passes = LOOK.passes,
    mode: Mode = None,
    size: Size = None,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    device: Device = "auto",
    overwrite: Overwrite = False,
    quality: Quality = DEFAULT_QUALITY,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
) -> None:
    """Put one style on every photo of a folder. Run it again, and it goes on where it was stopped."""
    look = look_of(alpha, levels, strength, transform, rank, color, color_strength, photo, detail, passes, mode)
    if extension not in (None, *FORMATS):
        raise UsageError(f"format: found {extension!r}; choose {', '.join(FORMATS)}")
    sources = [parse_weighted(text) for text in styles]
    inputs = inputs_of(source.path for source in sources)

    from wct.batch import batch
    from wct.cli.engine import load, stamp
    from wct.files import check_file
    from wct.jobs import jobs_of
    from wct.transforms import transform as known_transform

    known_transform(look.transform, look.rank)
    suffix = None if extension is None else f".{extension}"
    jobs = jobs_of(photos, output, recursive=recursive, extension=suffix, inputs=inputs)
    if report == "-":
        raise UsageError("report: found -, where the table goes; needs the name of a file")
    if report is not None:
        check_file(report, overwrite=True, inputs=[*inputs, *(job.source for job in jobs)])
    stylizer = load(model, device, encoder)
    outcomes = batch(
        stylizer,
        jobs,
        [source.path for source in sources],
        weights=[source.weight for source in sources],
        blend=blend,
        scale=style_scale,
        look=look,
        size=size,
        quality=quality,
        max_pixels=max_pixels or None,
        overwrite=overwrite,
        comment=stamp(stylizer, look),
    )
    with _reported(report) as tell:
        failed = _follow(outcomes, len(jobs), tell)
    if failed:
        raise typer.Exit(1)


@contextmanager
def _reported(path: str | None) -> Iterator[Callable[[Outcome], None]]:
    """Something to tell outcomes, which are lines of the file `path` at the end, also where the run is stopped."""
    if path is None:
        yield lambda _: None
        return
    from wct.files import appearing

    stopped: KeyboardInterrupt | None = None
    with appearing(path, overwrite=True) as temporary, temporary.open("w", encoding="utf-8") as lines:

        def tell(outcome: Outcome) -> None:
            record = {
                "input": os.fspath(outcome.job.source),
                "output": os.fspath(outcome.job.target),
                "status": outcome.status,
                "error": outcome.error,
                "seconds": round(outcome.seconds, 3),
                "size": outcome.size and outcome.size[::-1],
            }
            lines.write(json.dumps(record) + "\n")

        try:
            yield tell
        except KeyboardInterrupt as error:
            stopped = error
    if stopped:
        raise stopped


def _follow(outcomes: Iterator[Outcome], total: int, tell: Callable[[Outcome], None]) -> int:
    """Show how a batch goes on and what came of it, and return how many pictures failed.

    Raises KeyboardInterrupt, with words on how far it came, where it is stopped.
    """
    start = time.monotonic()
    counts: Counter[str] = Counter()
    failures: list[tuple[str, str]] = []
    try:
        with bar("batch") as show:
            show(0, total)
            for outcome in outcomes:
                tell(outcome)
                counts[outcome.status] += 1
                if outcome.error:
                    note(f"failed: {outcome.error}")
                    failures.append((label(outcome.job.source), outcome.error))
                rate = counts["done"] / (time.monotonic() - start)
                show(counts.total(), total, f"{rate:.2f} pictures/s")
    except KeyboardInterrupt as stop:
        words = ", ".join(f"{counts[status]} {status}" for status in STATUSES)
        raise type(stop)(
            f"{counts.total()} of {total} pictures ({words}); the same command goes on from there"
        ) from None
    row = [*(counts[status] for status in STATUSES), time.monotonic() - start]
    show_table(f"{total} pictures", (*STATUSES, "seconds"), [row])
    if failures:
        show_table("failed", ("picture", "why"), failures)
    return len(failures)
