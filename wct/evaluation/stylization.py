"""How near a stylised picture is to its style and to its content, as VGG-19 sees them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch

from wct.errors import InputError
from wct.evaluation.distances import CONTENT_LEVELS, of_features, of_statistics
from wct.images import Picture, read
from wct.images.label import label
from wct.models import Model
from wct.style import Style
from wct.stylizer import Stylizer

__all__ = ["content_distance", "style_distance", "stylization"]

COLUMNS = ("content", "style", "output")


def style_distance(vgg: Model, output: Picture, style: Picture | Style) -> float:
    """Mean over relu1_1 … relu5_1 of |C_o - C_s|_F / |C_s|_F and |m_o - m_s| / |m_s|.

    C and m are the covariance and mean of the features of `output` and `style`, the targets of whitening and
    coloring (Li et al. 2017, section 3.2). 0 for equal statistics; 1 for an output without any, and for the
    covariances of a flat style and an output that is not.

    Args:
        vgg: the model that looks, meant to be VGG-19; needs no decoders.
        output: as it is.
        style: reduced to a short side of 512 where it is larger, as the stylizer does; or a Style that `vgg` measured.
            Fully transparent pixels stay out of both.

    Raises:
        NumericsError: features are not finite.
    """
    stylizer = Stylizer(vgg)
    found, wanted = stylizer.style(output, scale=None), stylizer.style(style)
    return float(of_statistics(found.parts[0].gaussians, wanted.parts[0].gaussians))


@torch.inference_mode()
def content_distance(vgg: Model, output: Picture, content: Picture) -> float:
    """Mean squared difference of instance-normalised features, averaged over relu3_1 and relu4_1.

    Every channel is brought to mean 0 and variance 1 over its picture first (Ulyanov et al. 2016), so that the
    style's palette and contrast do not count, only what lies where: 0 for equal pictures, about 2 for unrelated ones.

    Args:
        vgg: the model that looks, meant to be VGG-19; needs no decoders.
        output: as it is.
        content: resized to the output's size where that is different.
    """
    pictures = output, content.resized(output.size)
    one, other = (vgg.encoder(picture.rgb[None].to(vgg.device), CONTENT_LEVELS) for picture in pictures)
    return float(of_features(one, other))


def stylization(pairs: Path, vgg: Model, progress: Callable[[int, int], None] = lambda *_: None) -> dict[str, Any]:
    """Style and content distance of stylised pictures, for JSON.

    Args:
        pairs: a csv file in UTF-8 with the columns content, style and output, among others: paths of pictures,
            relative ones from the file's own folder.
        vgg: the model that looks, meant to be VGG-19.
        progress: called with (done, total) after every row.

    Returns:
        `{"model": name, "n": n, "style_distance": {"median": …, "mean": …}, "content_distance": {…}, "rows":
        [{"content": …, "style": …, "output": …, "style_distance": …, "content_distance": …}, …]}`.

    Raises:
        InputError: the file is missing, is no such csv or has no rows, or a picture cannot be read; names the line.
        NumericsError: features are not finite.
    """
    rows = _rows(pairs)
    measured: list[dict[str, Any]] = []
    for row in rows:
        content, style, output = (_picture(row, column, pairs.parent) for column in COLUMNS)
        measured.append(
            {
                **row.paths,
                "style_distance": round(style_distance(vgg, output, style), 5),
                "content_distance": round(content_distance(vgg, output, content), 5),
            }
        )
        progress(len(measured), len(rows))
    summaries = {name: _summary([row[name] for row in measured]) for name in ("style_distance", "content_distance")}
    return {"model": vgg.card.name, "n": len(measured), **summaries, "rows": measured}


@dataclass(frozen=True)
class _Row:
    """One row: where it stands, and {column: path as written}."""

    place: str
    paths: dict[str, str]


def _rows(pairs: Path) -> list[_Row]:
    name = label(pairs)
    try:
        # Spreadsheets put a byte order mark in front.
        with pairs.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            absent = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            rows = [_Row(f"{name} line {reader.line_num}", {c: row.get(c) or "" for c in COLUMNS}) for row in reader]
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}); name a csv file of pairs") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{name}: is no csv file in UTF-8 ({error}); needs {','.join(COLUMNS)}") from error
    if absent:
        raise InputError(f"{name}: has no column {absent[0]!r}; its first line needs {','.join(COLUMNS)}")
    if not rows:
        raise InputError(f"{name}: has no rows; list one content,style,output per line")
    for row in rows:
        for column, path in row.paths.items():
            if not path:
                raise InputError(f"{row.place}: has no {column}; needs {','.join(COLUMNS)}")
    return rows


def _picture(row: _Row, column: str, folder: Path) -> Picture:
    try:
        return read(folder / row.paths[column])
    except InputError as error:
        raise InputError(f"{row.place}: {column} {error}") from error


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(values), 5), "mean": round(fmean(values), 5)}
