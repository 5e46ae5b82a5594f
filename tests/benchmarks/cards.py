"""The contact sheets of the model cards: the sample photos in the styles of the sample paintings, by each model.

    python tests/benchmarks/cards.py [--vgg FILE]

VGG-19's sheet is made where its weights are in place (`wct models fetch vgg19`) or named.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from wct import Model, Picture, Stylizer
from wct.errors import ModelError
from wct.methods.stylenet import StyleNet
from wct.models.shelf import shelf
from wct.samples import PAINTINGS, PHOTOS, paint, photo
from wct.sheet import sheet

SIZE, TILE, QUALITY = 384, 224, 80


def contact(name: str, made: Callable[[Picture, Picture], Picture]) -> None:
    """Write the sheet of a model."""
    photos = [photo(one).resized(SIZE) for one in PHOTOS]
    paintings = [paint(one) for one in PAINTINGS]
    cells = [[made(one, other) for other in paintings] for one in photos]
    sheet(photos, paintings, cells, TILE).save(shelf() / name / "sheet.jpg", overwrite=True, quality=QUALITY)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--vgg", type=Path)
    options = parser.parse_args()
    net = StyleNet.load()
    contact("stylenet", lambda one, other: net.stylize(one, other.name))
    contact("compact", Stylizer("compact", device="cpu"))
    try:
        contact("vgg19", Stylizer(Model.load("vgg19", encoder=options.vgg)))
    except ModelError as error:
        print(error)
