"""A page that stylises in the visitor's browser: a folder for any file server. Needs the extras `onnx` and `demo`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from wct import __version__
from wct.download import Tell
from wct.errors import OutputError
from wct.files import check_file, write_file
from wct.images import write
from wct.images.label import label, one_line
from wct.models import Model
from wct.onnx import parts
from wct.page.runtime import RUNTIME, VERSION, load_runtime
from wct.samples import PAINTINGS, PHOTOS, paint, photo

__all__ = ["write_page"]

OWN = ("index.html", "page.css", "pictures.js", "page.js", "worker.js", "isolate.js")
EXAMPLE = 384
"""Short side of the example pictures."""


def write_page(
    model: Model,
    folder: Path,
    *,
    tell: Tell = lambda *_: None,
    file: Path | None = None,
    offline: bool = False,
    overwrite: bool = False,
) -> int:
    """Write the page, with everything that it loads, into `folder`, which is made; how many bytes it has.

    Args:
        model: what it stylises with.
        folder: to be given out by any file server; the page asks no other server for anything.
        tell: hears of the download in megabytes: how many of how many.
        file, offline: where onnxruntime-web comes from, see `wct.page.runtime.load_runtime`.
        overwrite: replace files that are there already.

    Raises:
        MissingExtraError: scikit-image, whose photos are the examples, is not installed.
        ModelError: the model has no decoders.
        InputError: onnxruntime-web cannot be had.
        OutputError: a file exists already or cannot be written.
    """
    examples = {name: photo(name).resized(EXAMPLE) for name in PHOTOS}
    pictures = {folder / "examples" / f"{name}.jpg": name for name in (*PHOTOS, *PAINTINGS)}
    files = {folder / name: (resources.files(__name__) / name).read_bytes() for name in OWN}
    files |= {folder / name: data for name, data in parts(model).items()}
    files[folder / "about.json"] = json.dumps(_about(model)).encode()
    runtime = load_runtime(tell, file, offline=offline)
    _make(folder)
    for path in (*files, *pictures, *(folder / "runtime" / name for name in RUNTIME)):
        check_file(path, overwrite=overwrite)
    files |= {folder / "runtime" / name: data for name, data in runtime.items()}
    for path, data in files.items():
        write_file(data, path, overwrite=overwrite)
    for path, name in pictures.items():
        write(examples[name] if name in PHOTOS else paint(name, EXAMPLE), path, overwrite=overwrite)
    return sum(path.stat().st_size for path in (*files, *pictures))


def _make(folder: Path) -> None:
    try:
        for part in ("examples", "runtime"):
            (folder / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{label(folder)}: cannot be made ({one_line(error)}); name another folder") from error


def _about(model: Model) -> Mapping[str, object]:
    """What the page shows of its making, and offers as examples."""
    return {
        "wct": __version__,
        "runtime": VERSION,
        "model": model.card.name,
        "licence": model.card.table.get("licence", "unknown"),
        "photos": PHOTOS,
        "paintings": list(PAINTINGS),
    }
