"""How styles and Gaussians show themselves in a notebook, as HTML in which every name is escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from wct.images.label import label

if TYPE_CHECKING:
    from wct.gaussian import Gaussian
    from wct.images import Picture
    from wct.style import Style

__all__ = ["gaussian_html", "style_html"]

LEADING = 5
"""Eigenvalues shown."""


def style_html(style: Style) -> str:
    """A table of a style's pictures with their weights, and of what is known about them."""
    gaussians = style.parts[0].gaussians
    levels = ", ".join(f"relu{level}_1 ({gaussian.channels})" for level, gaussian in gaussians.items())
    rows = [(_thumbnail(part.thumbnail), escape(label(part.name)), _weight(part.weights)) for part in style.parts]
    about = f"for the model {label(style.model)}, with the {style.colors}'s colours; levels (channels): {levels}"
    return f"<b>Style</b> {escape(about)}{_table(rows, ('picture', 'name', 'weight'))}"


def gaussian_html(gaussian: Gaussian) -> str:
    """A table of a Gaussian's size and of how its variance is spread over directions."""
    spectrum = gaussian.spectrum
    leading = ", ".join(f"{value:.3g}" for value in spectrum[:LEADING].tolist())
    rows = [
        ("channels", f"{gaussian.channels}"),
        ("pixels n", f"{gaussian.n:,.6g}"),
        ("length of the mean", f"{float(gaussian.mean.norm()):.3g}"),
        ("variance, of all directions together", f"{float(spectrum.sum()):.3g}"),
        ("leading eigenvalues", leading + (", …" if gaussian.channels > LEADING else "")),
        ("directions with 90 % of the variance", f"{gaussian.directions(0.9)}"),
        ("directions with 99 % of the variance", f"{gaussian.directions(0.99)}"),
    ]
    return f"<b>Gaussian</b>{_table(rows)}"


def _table(rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Rows of cells that are HTML."""
    lines = ["".join(f"<th>{cell}</th>" for cell in head)] if head else []
    lines += ["".join(f'<td style="text-align: left">{cell}</td>' for cell in row) for row in rows]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _thumbnail(picture: Picture | None) -> str:
    if picture is None:
        return "none"
    return f'<img alt="" src="data:image/png;base64,{b64encode(picture.png()).decode()}">'


def _weight(weights: Mapping[int, float]) -> str:
    """One share where all levels have the same, else each with its level."""
    if len(set(weights.values())) == 1:
        return f"{next(iter(weights.values())):.0%}"
    return ", ".join(f"{weight:.0%} at {level}" for level, weight in weights.items())
