"""`wct models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wct.cli.options import AsJson
from wct.cli.terminal import show_json, show_table
from wct.models.spec import LEVELS

if TYPE_CHECKING:
    from wct.models import Card

__all__ = ["Named", "describe", "models"]

Named = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME|FOLDER]...", help="Which models; all shipped ones by default.")
]


def models(named: Named = None, as_json: AsJson = False) -> None:
    """List the models: origin, licence, size, quality, and whether their weights are in place."""
    from wct.models import find, names

    rows = [describe(find(name)) for name in named or names()]
    if as_json:
        show_json(rows)
        return
    columns = ("model", "title", "origin", "licence", "channels", "decoders", "weights", "quality")
    show_table("models", columns, [_line(row) for row in rows])


def describe(card: Card) -> dict[str, Any]:
    """What there is to know about a model without loading it, for JSON."""
    files = [card.file(part) for part in card.parts]
    return {
        "name": card.name,
        **{key: card.table.get(key) for key in ("title", "origin", "licence")},
        "folder": str(card.folder),
        "channels": {f"relu{level}_1": card.spec.encoder.channels(level) for level in LEVELS},
        "decoders": bool(card.spec.stages),
        "quality": card.table.get("quality", {}),
        "bytes": sum(file.stat().st_size for file in files if file.is_file()),
        "missing": [str(card.file(part)) for part in card.missing()],
    }


def _line(row: dict[str, Any]) -> list[object]:
    about = [row[key] or "" for key in ("name", "title", "origin", "licence")]
    channels = " ".join(map(str, row["channels"].values()))
    weights = f"not in place: {', '.join(row['missing'])}" if row["missing"] else f"{row['bytes'] / 1e6:.1f} MB"
    quality = "\n".join(f"{key} {value}" for key, value in row["quality"].items())
    return [*about, channels, "yes" if row["decoders"] else "no", weights, quality]
