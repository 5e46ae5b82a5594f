"""The options that make a look, and the look that they make."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from wct.cli.options import offered, parse_factors, parse_levels
from wct.errors import UsageError
from wct.look import COLORS, LOOK, PHOTO, Look

__all__ = [
    "Color",
    "ColorStrength",
    "Detail",
    "Grain",
    "Levels",
    "Mode",
    "Passes",
    "Photo",
    "Rank",
    "Strength",
    "look_of",
]

Levels = Annotated[
    str | None,
    typer.Option(
        metavar="K,...",
        help="VGG levels to transform: 5 large shapes … 1 colours. Default: all; with --photo 3,2,1.",
        show_default=False,
    ),
]
Strength = Annotated[str, typer.Option(metavar="K=X,...", help="Factors on alpha for some levels, such as 5=1,3=0.5.")]
Mode = Annotated[
    str | None,
    typer.Option(
        metavar="single|cascade",
        help=f"One way down the decoders, or the paper's cascade. Default: {LOOK.mode}.",
        autocompletion=offered("single", "cascade"),
        show_default=False,
    ),
]
Photo = Annotated[bool, typer.Option("--photo", help="Stay a photograph: colours and tones of the style, edges kept.")]
Rank = Annotated[
    int | None, typer.Option(min=0, help="Transfer only the style's leading directions, this many a level.")
]
Passes = Annotated[int, typer.Option(min=1, help="How often to do it all, each time on the last result.")]
Color = Annotated[
    str,
    typer.Option(
        metavar="|".join(COLORS),
        help="Whose colours; luminance changes lightness alone.",
        autocompletion=offered(*COLORS),
    ),
]
ColorStrength = Annotated[float, typer.Option(help="How far --color goes: 0 not at all, 1 all the way.")]
Detail = Annotated[
    float | None,
    typer.Option(
        help="How much of the photo's fine structure to restore at the end, 0 to 1. Default: 0; with --photo 1.",
        show_default=False,
    ),
]
Grain = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Noise for the photo first, in grey levels, so that flat skies and walls take strokes. "
        f"Default: {LOOK.grain:g} where levels 5 or 4 are transformed; with --photo 0.",
        show_default=False,
    ),
]


def look_of(
    alpha: float,
    levels: str | None,
    strength: str,
    transform: str,
    rank: int | None,
    color: str,
    color_strength: float,
    photo: bool,
    detail: float | None,
    grain: float | None,
    passes: int,
    mode: str | None,
) -> Look:
    """The Look of these options; UsageError where one is out of range or two do not go together."""
    if photo and mode:
        raise UsageError(f"--photo and --mode {mode}: found both; --photo is a mode of its own, choose one")
    base = PHOTO if photo else LOOK
    look = replace(
        base,
        alpha=alpha,
        levels=parse_levels(levels) if levels else base.levels,
        strength=parse_factors(strength, "strength") if strength else {},
        mode=mode or base.mode,
        transform=transform,
        rank=rank,
        passes=passes,
        color=color,
        color_strength=color_strength,
        detail=base.detail if detail is None else detail,
        grain=base.grain if grain is None else grain,
    )
    if grain and not replace(look, alpha=1.0).noise:
        raise UsageError(f"grain {grain:g}: nothing would make strokes of it; needs level 5 or 4, without --photo")
    return look
