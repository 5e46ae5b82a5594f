"""`wct video`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wct.cli.looks import Color, ColorStrength, Detail, Grain, Levels, Mode, Passes, Photo, Rank, Strength, look_of
from wct.cli.options import (
    Address,
    Alpha,
    Blend,
    Device,
    EncoderFile,
    EngineName,
    Gpus,
    ModelName,
    Overwrite,
    Precision,
    Size,
    StyleScale,
    Transform,
    WeightedPath,
    inputs_of,
    parse_weighted,
)
from wct.cli.terminal import bar, note
from wct.errors import UsageError
from wct.images.label import label
from wct.look import BLENDS, LOOK
from wct.video.defaults import STEADY

if TYPE_CHECKING:
    from wct.style import Style
    from wct.stylizer import Stylizer
    from wct.video import Schedule

__all__ = ["default_output", "parse_keyframes", "parse_seconds", "video"]

Source = Annotated[
    str,
    typer.Argument(
        metavar="FILM",
        help="A film, a folder of pictures or a pattern such as frame_%04d.png; "
        "with --live also a device, an address, or - for standard input.",
    ),
]
Styles = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[STYLE...]",
        help="Pictures or style files to take the style from, blended; path:2 weighs twice path:1.",
        show_default=False,
    ),
]
Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="A film (.mp4, .mov, .mkv, .webm), a folder or a pattern. Default: <film>-stylized beside here.",
    ),
]
Keyframe = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TIME=STYLE",
        help="A style at a time, 10s=wave.jpg or 1:30=wave.jpg, in place of STYLE; in between the styles change "
        "into each other. Several with commas, or again.",
        show_default=False,
    ),
]
Steadiness = Annotated[float, typer.Option("--steady", help="Against flicker: 0 frames as they come, up to 1.")]
LiveOption = Annotated[
    bool, typer.Option("--live", help="One pass, following the frames as they come: for streams and cameras.")
]
Fps = Annotated[str | None, typer.Option(metavar="N", help="Frames per second of an image sequence. Default: 25.")]
Crf = Annotated[int | None, typer.Option(help="Constant quality: 0 best; 18 hardly to be told from the frames.")]
KeepMetadata = Annotated[
    bool,
    typer.Option("--keep-metadata", help="Copy what the film says of itself to the result: title, place, author."),
]

_TIMED = re.compile(r"((?:\d+:)*\d+(?:\.\d+)?)s?=(.+)")
_RATE = re.compile(r"[\d./]+")


def video(
    source: Source,
    styles: Styles = None,
    output: Output = None,
    keyframe: Keyframe = None,
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
    steady: Steadiness = STEADY,
    live: LiveOption = False,
    fps: Fps = None,
    crf: Crf = None,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    device: Device = "auto",
    precision: Precision = "float32",
    engine: EngineName = "local",
    address: Address = None,
    gpus: Gpus = None,
    overwrite: Overwrite = False,
    keep_metadata: KeepMetadata = False,
) -> None:
    """Put the style of one or several pictures on a film, without flicker. A stopped run goes on where it was."""
    look = look_of(alpha, levels, strength, transform, rank, color, color_strength, photo, detail, grain, passes, mode)
    if look.color == "content":
        raise UsageError("color content: the frames of a film differ in their colours; choose luminance or style")
    given = styles or []
    timed = [text for text in given if _TIMED.fullmatch(text) and not os.path.exists(text)]
    keyframes = parse_keyframes([*(keyframe or []), *timed])
    plain = [parse_weighted(text) for text in given if text not in timed]
    if bool(plain) == bool(keyframes):
        raise UsageError("video: needs either STYLE... or --keyframe TIME=STYLE behind the film")
    target = output if output is not None else default_output(source)
    inputs = inputs_of([source, *(one.path for one in plain), *(path for _, path in keyframes)])

    from wct.cli.engine import engine_of, load, stamp
    from wct.heap import SERIES, keep
    from wct.transforms import transform as known_transform
    from wct.video import Settings, check_target, stylize_clip

    known_transform(look.transform, look.rank)
    settings = Settings(look, size, steady, live, None if fps is None else _rate(fps), crf)
    check_target(target, source, overwrite, inputs=inputs, keep_metadata=keep_metadata)
    keep(SERIES)
    stylizer = load(model, device, encoder, engine_of(engine, address, gpus), precision)
    swap = look.transform == "swap"

    def measured(path: str) -> Style:
        return stylizer.style(path, scale=style_scale, patches=swap)

    schedule = _schedule(stylizer, plain, keyframes, blend, measured)
    try:
        with bar(label(Path(source).name)) as tell:
            report = stylize_clip(
                stylizer,
                source,
                schedule,
                target,
                settings,
                overwrite=overwrite,
                inputs=inputs,
                keep_metadata=keep_metadata,
                comment=stamp(stylizer, look),
                tell=tell,
            )
    except KeyboardInterrupt as stop:
        raise type(stop)("the same command goes on from here") from stop
    note(f"{label(target)}: written, frames: {report.frames}, shots: {report.shots}")
    if report.broken:
        found = f"{len(report.broken)}, the first is {report.broken[0]}"
        note(f"warning: {label(source)}: broken frames: {found}; they repeat the result before them")
        raise typer.Exit(1)


def default_output(source: str) -> str:
    """Where the result goes when nobody says where: a film of a kind that can be written, pictures for pictures."""
    from wct.video.targets import CONTAINERS, is_pattern

    path = Path(source)
    if os.path.isdir(source):
        return f"{path.absolute().name}-stylized"
    if is_pattern(source):
        return f"{path.absolute().parent.name}-stylized"
    return f"{path.stem or 'film'}-stylized{path.suffix if path.suffix.lower() in CONTAINERS else '.mp4'}"


def parse_keyframes(texts: list[str]) -> list[tuple[float, str]]:
    """`TIME=STYLE`, or several with commas, as (seconds, path); UsageError for anything else."""
    found = []
    for text in texts:
        for part in re.split(r",(?=[\d:.]+s?=)", text):
            match = _TIMED.fullmatch(part)
            if match is None:
                raise UsageError(f"keyframe: found {part!r}; needs TIME=STYLE, such as 10s=wave.jpg or 1:30=wave.jpg")
            found.append((parse_seconds(match[1]), match[2]))
    return found


def parse_seconds(text: str) -> float:
    """`90`, `1:30` or `0:01:30.5` in seconds."""
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def _rate(text: str) -> Fraction:
    with suppress(ValueError, ZeroDivisionError):
        if _RATE.fullmatch(text):  # and not 1e999999999, which takes for ever
            return Fraction(text)
    raise UsageError(f"fps: found {text!r}; needs a number such as 25, 29.97 or 30000/1001")


def _schedule(
    stylizer: Stylizer,
    plain: list[WeightedPath],
    keyframes: list[tuple[float, str]],
    blend: str,
    measured: Callable[[str], Style],
) -> Schedule:
    from wct.video import Schedule

    if keyframes:
        return Schedule([(time, measured(path)) for time, path in keyframes])
    whole = stylizer.style(*(measured(one.path) for one in plain), weights=[one.weight for one in plain], blend=blend)
    return Schedule([(0.0, whole)])
