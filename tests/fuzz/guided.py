"""The loaders of style files, model.toml and weights, with damage guided by the branches it reaches (atheris).

pip install atheris
PYTHONPATH=tests python -m fuzz.guided style|card|weights [-runs=100000] [-seed=1]      options are libFuzzer's
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["wct"]):
    from wct.errors import WctError
    from wct.models import find
    from wct.models.published import read_published
    from wct.style_file import load_style

from fuzz.cases import forged
from fuzz.ground import Ground

__all__: list[str] = []


def _style(path: Path, data: bytes) -> None:
    # With the sum that belongs to it, or nothing behind it would ever be seen.
    with suppress(Exception):
        data = forged(data, lambda *_: None)
    path.write_bytes(data)
    load_style(path)


def _card(path: Path, data: bytes) -> None:
    path.with_name("model.toml").write_bytes(data)
    find(path.parent)


def _weights(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    read_published(path)


LOADERS: dict[str, Callable[[Path, bytes], None]] = {"style": _style, "card": _card, "weights": _weights}


def main() -> None:
    kind, options = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory(prefix="wct-fuzz-", dir="/dev/shm") as folder:
        corpus, ground = Path(folder, "corpus"), Path(folder, "ground")
        corpus.mkdir()
        ground.mkdir()
        for name, data in Ground(ground).whole[kind].items():
            (corpus / name).write_bytes(data)

        def one(data: bytes) -> None:
            try:
                LOADERS[kind](Path(folder, "tried"), data)
            except WctError as error:
                if not str(error).isprintable():
                    raise AssertionError("not one printable line") from error

        atheris.Setup([sys.argv[0], "-max_len=65536", *options, str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
