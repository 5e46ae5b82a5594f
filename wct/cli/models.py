"""`wct models`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wct.cli.options import AsJson
from wct.cli.terminal import show_json, show_table

if TYPE_CHECKING:
    from wct.models import Card

__all__ = ["Named", "models"]

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
    columns = ("model", "title", "origin", "licence", "decoders", "weights", "MB", "quality")
    show_table("models", columns, [_line(row) for row in rows])


def describe(card: Card) -> dict[str, Any]:
    """What there is to know about a model without loading it, for JSON."""
    parts = card.parts()
    missing = [str(card.file(part)) for part in parts if not card.file(part).is_file()]
    return {
        "name": card.name,
        **{key: card.table.get(key) for key in ("title", "origin", "licence")},
        "folder": str(card.folder),
        "decoders": bool(card.spec.stages),
        "levels": {f"relu{level}_1": card.spec.encoder.channels(level) for level in LEVELS},
        "quality": card.table.get("quality", {}),
        "complete": not missing,
        "missing": missing,
        "bytes": sum(card.file(part).stat().st_size for part in parts) if not missing else None,
    }


def _line(row: dict[str, Any]) -> list[object]:
    size = "" if row["bytes"] is None else f"{row['bytes'] / 1e6:.1f}"
    weights = "in place" if row["complete"] else f"put them at {', '.join(row['missing'])}"
    quality = "\n".join(f"{key} {value}" for key, value in row["quality"].items())
    return [row["name"], *(row[key] or "" for key in ("title", "origin", "licence")), row["decoders"], weights, size, quality]
