"""What a look keeps of the photo, and how near it comes to the style: `--detail`, `--photo`, and the other ways.

    python tests/benchmarks/detail.py PHOTOS STYLES --vgg vgg19.safetensors [--model compact] [--size 384] [--count 8]

PHOTOS and STYLES are folders, of which --count pictures each make as many pairs. Figures, mean over the pairs:

structure          structural similarity (Wang et al. 2004) of the gradients (Sobel, in grey) of result and photo
style and content  distances of `wct evaluate stylization`
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from models import chosen, loaded
from rich.console import Console
from rich.table import Table
from skimage.color import rgb2gray
from skimage.filters import sobel
from skimage.metrics import structural_similarity

from wct import Picture, Stylizer
from wct.evaluation.stylization import content_distance, style_distance
from wct.look import PHOTO
from wct.models import Model


def structure(one: Picture, other: Picture) -> float:
    """0 for gradients that have nothing in common, 1 for equal ones."""
    gradients = [sobel(rgb2gray(picture.rgb.numpy(), channel_axis=0)) for picture in (one, other)]
    return float(structural_similarity(*gradients, data_range=1.0))


def ways(stylizer: Stylizer) -> dict[str, Any]:
    return {
        "plain": stylizer,
        "--detail 0.4": partial(stylizer, detail=0.4),
        "--detail 1": partial(stylizer, detail=1.0),
        "--photo": partial(stylizer, look=PHOTO),
        "--alpha 0.6": partial(stylizer, alpha=0.6),
        "--mode cascade": partial(stylizer, mode="cascade"),
        "--transform wct": partial(stylizer, transform="wct"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("styles", type=Path)
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--count", type=int, default=8)
    given = parser.parse_args()
    eye, stylizer = Model.load("vgg19", encoder=given.vgg), Stylizer(loaded(given.model, given.vgg))
    photos, styles = (chosen(folder, given.count, given.size) for folder in (given.photos, given.styles))
    own, seen = ([looking.style(style) for style in styles] for looking in (stylizer, Stylizer(eye)))
    table = Table(
        "", "structure", "style distance", "content distance", title=f"{len(photos)} pairs, short side {given.size}"
    )
    with torch.inference_mode():
        for name, make in ways(stylizer).items():
            made = [make(photo, style) for photo, style in zip(photos, own, strict=True)]
            kept = fmean(structure(*pair) for pair in zip(made, photos, strict=True))
            far = fmean(style_distance(eye, *pair) for pair in zip(made, seen, strict=True))
            lost = fmean(content_distance(eye, *pair) for pair in zip(made, photos, strict=True))
            table.add_row(name, *(f"{figure:.3f}" for figure in (kept, far, lost)))
    Console().print(table)


if __name__ == "__main__":
    main()
