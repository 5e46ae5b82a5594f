"""Options that several verbs share, and how their texts are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from wct.errors import UsageError
from wct.images.label import label
from wct.look import BLENDS, LARGEST_SCALE, TRANSFORM_NAMES
from wct.models.shelf import names

__all__ = [
    "Address",
    "Alpha",
    "AsJson",
    "Bits",
    "Blend",
    "Device",
    "EncoderFile",
    "EngineName",
    "Gpus",
    "MaxPixels",
    "ModelName",
    "Overwrite",
    "Precision",
    "Quality",
    "Size",
    "StyleScale",
    "Transform",
    "VggFile",
    "WeightedPath",
    "inputs_of",
    "offered",
    "parse_factors",
    "parse_levels",
    "parse_tile",
    "parse_weighted",
]


def offered(*values: str) -> Callable[[str], list[str]]:
    """What a shell may complete an option's value to."""

    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete


ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|FOLDER",
        help="A shipped model or a model folder.",
        autocompletion=lambda incomplete: offered(*names())(incomplete),
    ),
]
EncoderFile = Annotated[
    str | None, typer.Option("--encoder", metavar="FILE", help="Take the encoder's weights from this safetensors file.")
]
VggFile = Annotated[
    Path | None,
    typer.Option("--vgg", metavar="FILE|FOLDER", help="VGG-19's weights, if not in place, or another model's folder."),
]
Alpha = Annotated[float, typer.Option(help="Strength: 0 keeps the content, 1 gives the style in full.")]
StyleScale = Annotated[
    float, typer.Option(max=LARGEST_SCALE, help="Stroke size: style pictures are resized by this factor first.")
]
Blend = Annotated[
    str,
    typer.Option(
        metavar="|".join(BLENDS),
        help="Several styles: mean of the maps, or one Gaussian between them.",
        autocompletion=offered(*BLENDS),
    ),
]
Transform = Annotated[
    str,
    typer.Option(
        metavar="|".join(TRANSFORM_NAMES),
        help="How the style's statistics are imposed.",
        autocompletion=offered(*TRANSFORM_NAMES),
    ),
]
MaxPixels = Annotated[int, typer.Option(min=0, help="Refuse pictures of more pixels; 0 for no limit.")]
Size = Annotated[int | None, typer.Option(min=1, help="Resize the content to this short side first.")]
Bits = Annotated[int, typer.Option(help="Bits per channel: 8, or 16 for PNG.")]
Quality = Annotated[int, typer.Option(min=1, max=100, help="Of JPEG, WebP (100: lossless) and AVIF.")]
Device = Annotated[
    str,
    typer.Option(
        metavar="auto|cpu|cuda|mps", help="Where to compute.", autocompletion=offered("auto", "cpu", "cuda", "mps")
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        metavar="float32|bfloat16",
        help="Of the networks: bfloat16 is faster where the processor knows it, at 8 bits.",
        autocompletion=offered("float32", "bfloat16"),
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="local|ray",
        help="Who does the work: this process, or a Ray cluster.",
        autocompletion=offered("local", "ray"),
    ),
]
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Of the Ray cluster; without it one of this machine's processors."),
]
Gpus = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Share of a GPU for each worker of the cluster, such as 0.5. Default: 1 where it has any.",
        show_default=False,
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist; an input never is.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@dataclass(frozen=True)
class WeightedPath:
    """A path and its weight: one number, or {level: number}."""

    path: str
    weight: float | dict[int, float] = 1.0


def parse_weighted(text: str) -> WeightedPath:
    """`path`, `path:weight` or `path:level=weight,…`; a file that has the whole text as its name is that file.

    Raises UsageError where the part before the colon is a file and the part after it no weight.
    """
    head, colon, tail = text.rpartition(":")
    if not colon or os.path.exists(text):
        return WeightedPath(text)
    try:
        return WeightedPath(head, parse_factors(tail, "weight") if "=" in tail else float(tail))
    except ValueError:
        if head == "-" or os.path.exists(head):
            raise UsageError(
                f"{label(text)}: the weight {tail!r} is not a number; write path:2, or path:5=1,4=0.2 by level"
            ) from None
        return WeightedPath(text)


def parse_levels(text: str) -> tuple[int, ...]:
    """`5,4,3` as numbers; UsageError for anything else. Which levels there are is `Look`'s to say."""
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise UsageError(f"levels: found {text!r}; needs numbers from 1 to 5 with commas, such as 5,4,3,2,1") from None


def parse_factors(text: str, what: str) -> dict[int, float]:
    """`5=1,3=0.5` as {level: factor}; UsageError, which calls it `what`, for anything else."""
    factors: dict[int, float] = {}
    for part in text.split(","):
        level, _, factor = part.partition("=")
        try:
            factors[int(level)] = float(factor)
        except ValueError:
            raise UsageError(f"{what}: found {part!r}; needs level=factor with commas, such as 5=1,3=0.5") from None
    return factors


def parse_tile(text: str) -> int | str | None:
    """`auto`, `off` or a number of pixels, as `Stylizer` takes it; UsageError for anything else."""
    if text in ("auto", "off"):
        return None if text == "off" else text
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise UsageError(f"tile: found {text!r}; needs auto, off, or the side of the windows in pixels, such as 1024")


def inputs_of(paths: Iterable[str | None]) -> list[str]:
    """The input files among `paths`; UsageError where more than one of them is standard input."""
    found = [path for path in paths if path is not None]
    if found.count("-") > 1:
        raise UsageError("-: found more than once; standard input holds one picture, name files for the others")
    return [path for path in found if path != "-"]
