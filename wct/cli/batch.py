"""`wct batch`."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wct.cli.looks import Color, ColorStrength, Detail, Grain, Levels, Mode, Passes, Photo, Rank, Strength, look_of
from wct.cli.options import (
    Address,
    Alpha,
    Bits,
    Blend,
    Device,
    EncoderFile,
    EngineName,
    Gpus,
    MaxPixels,
    ModelName,
    Overwrite,
    Precision,
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
    from wct.jobs import Job

__all__ = ["batch"]

FORMATS = ("png", "jpg", "tif", "webp", "avif")
STATUSES: tuple[Literal["done", "skipped", "failed"], ...] = ("done", "skipped", "failed")

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
    grain: Grain = None,
    passes: Passes = LOOK.passes,
    mode: Mode = None,
    size: Size = None,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    device: Device = "auto",
    precision: Precision = "float32",
    engine: EngineName = "local",
    address: Address = None,
    gpus: Gpus = None,
    overwrite: Overwrite = False,
    quality: Quality = DEFAULT_QUALITY,
    bits: Bits = 8,
    max_pixels: MaxPixels = DEFAULT_MAX_PIXELS,
) -> None:
    """Put one style on every photo of a folder. Run it again, and it goes on where it was stopped."""
    look = look_of(alpha, levels, strength, transform, rank, color, color_strength, photo, detail, grain, passes, mode)
    if extension not in (None, *FORMATS):
        raise UsageError(f"format: found {extension!r}; choose {', '.join(FORMATS)}")
    sources = [parse_weighted(text) for text in styles]
    inputs = inputs_of(source.path for source in sources)

    from wct.batch import batch
    from wct.cli.engine import engine_of, load, stamp
    from wct.files import write_file
    from wct.heap import SERIES, keep
    from wct.jobs import jobs_of
    from wct.transforms import transform as known_transform

    known_transform(look.transform, look.rank)
    suffix = None if extension is None else f".{extension}"
    jobs = jobs_of(photos, output, recursive=recursive, extension=suffix, inputs=inputs)
    if report == "-":
        raise UsageError("report: found -, where the table goes; needs the name of a file")
    keep(SERIES)
    stylizer = load(model, device, encoder, engine_of(engine, address, gpus), precision)
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
        bits=bits,
        max_pixels=max_pixels or None,
        overwrite=overwrite,
        comment=stamp(stylizer, look),
    )
    if report is not None:  # by now there are the folders of the results, where it may go
        _check_report(report, inputs, jobs)
    told: list[Outcome] = []
    start = time.monotonic()
    try:
        _follow(outcomes, len(jobs), told)
    finally:
        if report is not None and told:
            write_file("".join(map(_record, told)).encode(), report, overwrite=True)
    if _summed_up(told, time.monotonic() - start):
        raise typer.Exit(1)


def _check_report(report: str, inputs: Iterable[str], jobs: Sequence[Job]) -> None:
    from wct.files import check_file

    check_file(report, overwrite=True, inputs=[*inputs, *(job.source for job in jobs)])
    if os.path.realpath(report) in {os.path.realpath(job.target) for job in jobs}:
        raise UsageError(f"report: {label(report)} is where the result of a photo goes; choose another name")


def _record(outcome: Outcome) -> str:
    """A line of the report."""
    record = {
        "input": os.fspath(outcome.job.source),
        "output": os.fspath(outcome.job.target),
        "status": outcome.status,
        "error": outcome.error,
        "seconds": round(outcome.seconds, 3),
        "size": outcome.size and outcome.size[::-1],
    }
    return json.dumps(record) + "\n"


def _follow(outcomes: Iterator[Outcome], total: int, told: list[Outcome]) -> None:
    """Show how a batch goes on, and add what it gives to `told`.

    Raises KeyboardInterrupt, with words on how far it came, where it is stopped.
    """
    start, done = time.monotonic(), 0
    try:
        with bar("batch") as show:
            show(0, total)
            for outcome in outcomes:
                told.append(outcome)
                done += outcome.status == "done"
                if outcome.error:
                    note(f"failed: {outcome.error}")
                show(len(told), total, f"{done / (time.monotonic() - start):.2f} pictures/s")
    except KeyboardInterrupt as stop:
        words = ", ".join(f"{count} {status}" for status, count in _counts(told).items())
        raise type(stop)(f"{len(told)} of {total} pictures ({words}); the same command goes on from there") from None


def _counts(told: Sequence[Outcome]) -> dict[str, int]:
    found = Counter(outcome.status for outcome in told)
    return {status: found[status] for status in STATUSES}


def _summed_up(told: Sequence[Outcome], seconds: float) -> bool:
    """Show what came of a batch; whether a picture failed."""
    show_table(f"{len(told)} pictures", (*STATUSES, "seconds"), [[*_counts(told).values(), seconds]])
    failures = [(label(outcome.job.source), outcome.error) for outcome in told if outcome.error]
    if failures:
        show_table("failed", ("picture", "why"), failures)
    return bool(failures)
