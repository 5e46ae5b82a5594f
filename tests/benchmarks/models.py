"""Models against each other: the look, and style against content distance over alpha, as VGG-19 sees them.

    python tests/benchmarks/models.py PHOTOS STYLES -o OUT --vgg vgg19.safetensors
        [--models compact vgg19] [--alphas 0.2 0.4 0.6 0.8 1] [--size 512] [--count 8]

PHOTOS and STYLES are folders, of which --count pictures each are crossed. OUT gets sheet-ALPHA.jpg, where the models
stand below each other for every photo, curve.png and distances.json. Models without an encoder in place get VGG-19's.
"""

from __future__ import annotations

import argparse
import json
from itertools import product
from pathlib import Path
from statistics import fmean

import matplotlib
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from wct import Picture, Stylizer
from wct.evaluation.stylization import content_distance, style_distance
from wct.images import list_pictures, read
from wct.models import Model, find
from wct.sheet import sheet

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Result = dict[str, dict[float, list[tuple[float, float]]]]
"""{model: {alpha: (style distance, content distance) of every pair}}"""


def chosen(folder: Path, count: int, size: int) -> list[Picture]:
    """Pictures evenly from a folder, with a short side of at most `size`."""
    files = list_pictures(folder)
    found = [read(files[i * len(files) // count]) for i in range(min(count, len(files)))]
    return [one.resized(tuple(max(1, round(side * size / min(one.size))) for side in one.size)) for one in found]


def stylised(
    models: list[Stylizer], photos: list[Picture], styles: list[Picture], alphas: list[float], out: Path, eye: Model
) -> Result:
    """Every photo in every style by every model; sheets are written, distances returned."""
    found: Result = {model.model.card.name: {alpha: [] for alpha in alphas} for model in models}
    measured = [[model.style(style) for style in styles] for model in models]
    looked = [Stylizer(eye).style(style) for style in styles]
    cells: dict[float, list[list[Picture]]] = {alpha: [] for alpha in alphas}
    for photo, (i, model) in track(list(product(photos, enumerate(models))), description="stylised"):
        rows: dict[float, list[Picture]] = {alpha: [] for alpha in alphas}
        for (style, wanted), alpha in product(zip(measured[i], looked, strict=True), alphas):
            made = model(photo, style, alpha=alpha)
            distances = style_distance(eye, made, wanted), content_distance(eye, made, photo)
            found[model.model.card.name][alpha].append(distances)
            rows[alpha].append(made.resized((max(1, made.size[0] // 2), max(1, made.size[1] // 2))))
        for alpha, row in rows.items():
            cells[alpha].append(row)
    heads = [photo for photo in photos for _ in models]
    for alpha, grid in cells.items():
        sheet(heads, styles, grid, 224).save(out / f"sheet-{alpha:g}.jpg", overwrite=True)
    return found


def loaded(name: str, vgg: Path) -> Model:
    """A model, with the weights of VGG-19 where it has none of its own."""
    return Model.load(name, encoder=vgg if "encoder.safetensors" in find(name).missing() else None)


def curve(found: Result, file: Path) -> None:
    """Mean style distance against mean content distance, a line for each model."""
    figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
    for name, at in found.items():
        points = [(fmean(c for _, c in pairs), fmean(s for s, _ in pairs)) for pairs in at.values()]
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
        for alpha, point in zip(at, points, strict=True):
            axes.annotate(f"{alpha:g}", point, textcoords="offset points", xytext=(5, 5), fontsize=8)
    axes.set(xlabel="content distance", ylabel="style distance", title="alpha from left to right; lower left is better")
    axes.legend(frameon=False)
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("styles", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["compact", "vgg19"])
    parser.add_argument("--alphas", type=float, nargs="+", default=[0.2, 0.4, 0.6, 0.8, 1.0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--count", type=int, default=8)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    eye = Model.load("vgg19", encoder=given.vgg)
    models = [Stylizer(loaded(name, given.vgg)) for name in given.models]
    photos, styles = (chosen(folder, given.count, given.size) for folder in (given.photos, given.styles))
    with torch.inference_mode():
        found = stylised(models, photos, styles, given.alphas, given.output, eye)
    curve(found, given.output / "curve.png")
    (given.output / "distances.json").write_text(json.dumps(found, indent=1))
    table = Table("model", "alpha", "style distance", "content distance", title=f"n = {len(photos) * len(styles)}")
    for name, at in found.items():
        for alpha, pairs in at.items():
            table.add_row(name, f"{alpha:g}", *(f"{fmean(values):.3f}" for values in zip(*pairs, strict=True)))
    Console().print(table)


if __name__ == "__main__":
    main()
