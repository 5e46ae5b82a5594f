"""`wct models`, `wct models fetch` and `wct models import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wct.cli.options import AsJson
from wct.cli.terminal import bar, note, show_json, show_table
from wct.cli.words import verb_with
from wct.images.label import label
from wct.models.spec import LEVELS

if TYPE_CHECKING:
    from wct.models import Card

__all__ = ["ModelsCommand", "Named", "describe", "models"]

Named = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME|FOLDER]...", help="Which models; all shipped ones by default.")
]

Name = Annotated[str, typer.Argument(metavar="NAME", help="Which model; vgg19 is the one that there is.")]


def models(named: Named = None, as_json: AsJson = False) -> None:
    """List the models: origin, licence, size, quality, and whether their weights are in place.

    wct models fetch vgg19 downloads what does not come with wct, wct models import vgg19 FILE takes it from a file.
    """
    from wct.models import find, names

    rows = [describe(find(name)) for name in named or names()]
    if as_json:
        show_json(rows)
        return
    columns = ("model", "title", "origin", "licence", "channels", "decoders", "weights", "quality")
    show_table("models", columns, [_line(row) for row in rows])


def _fetch(
    name: Name,
    offline: Annotated[bool, typer.Option("--offline", help="Only see whether it is in place: no network.")] = False,
) -> None:
    """Download the weights that do not come with wct, check them and put them in place (WCT_HOME, or the user's cache).

    A download that was stopped goes on where it was.
    """
    from wct.models.fetch import fetch

    with bar(f"fetch {name}") as tell:
        found = fetch(name, tell, offline=offline)
    note(f"{name} is in place: {label(found)}")


def _import(
    name: Name,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Keras' HDF5 file, a PyTorch state dict, or safetensors.")
    ],
) -> None:
    """Put weights in place from a file: the original VGG-19's, in Keras' layout or in torchvision's naming."""
    from wct.models.fetch import import_file

    note(f"{name} is in place: {label(import_file(name, file))}")


ModelsCommand = verb_with({"fetch": _fetch, "import": _import})


def describe(card: Card) -> dict[str, Any]:
    """What there is to know about a model without loading it, for JSON."""
    files = [card.file(part) for part in card.parts]
    return {
        "name": card.name,
        **{key: card.table.get(key) for key in ("title", "origin", "licence")},
        "folder": label(card.folder),
        "channels": {f"relu{level}_1": card.spec.encoder.channels(level) for level in LEVELS},
        "decoders": bool(card.spec.stages),
        "quality": card.table.get("quality", {}),
        "bytes": sum(file.stat().st_size for file in files if file.is_file()),
        "missing": [label(card.file(part)) for part in card.missing()],
    }


def _line(row: dict[str, Any]) -> list[object]:
    about = [row[key] or "" for key in ("name", "title", "origin", "licence")]
    channels = " ".join(map(str, row["channels"].values()))
    weights = f"not in place: {', '.join(row['missing'])}" if row["missing"] else f"{row['bytes'] / 1e6:.1f} MB"
    quality = "\n".join(f"{key} {value}" for key, value in row["quality"].items())
    return [*about, channels, "yes" if row["decoders"] else "no", weights, quality]
