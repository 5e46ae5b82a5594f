"""Architectures for compact against each other: how well they do after the same short training, and how long they take.

    python tests/benchmarks/architectures.py PHOTOS STYLES --data PICTURES --vgg vgg19.safetensors -o OUT
        [--only NAME ...] [--steps 150] [--size 512] [--repeats 7]

Every variant of the shipped architecture starts in closed form and learns for the same few steps on the same crops of
the same pictures: far less than the shipped weights had, so that the variants can be compared with each other alone.
OUT gets their runs, curve.png and architectures.json. PHOTOS and STYLES are folders to measure with: reconstruction of
all photos, and the distances of 8 pairs as VGG-19 sees them. A run that was stopped goes on with the same command.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import matplotlib
import torch
from models import chosen
from rich.console import Console
from rich.table import Table
from torch.nn import functional as F

from wct import Stylizer
from wct.bench.stages import convolution_flops
from wct.bench.work import noise_picture
from wct.devices import placed
from wct.evaluation import psnr
from wct.evaluation.stylization import content_distance, style_distance
from wct.images import Picture
from wct.models import Model, find
from wct.models.encoder import Encoder, convolve
from wct.models.spec import LEVELS, EncoderSpec, ModelSpec, StageSpec
from wct.models.vgg import VGG19
from wct.training.closed_form import SAMPLES_PER_UNKNOWN, Sampler, _activate, _fit, _set, ridge
from wct.training.decoders import train_decoders
from wct.training.encoder import load_teacher
from wct.training.loop import Run, autocast
from wct.training.pictures import PictureSet
from wct.training.recipe import Phase, Recipe
from wct.training.teacher import Teacher

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PHASE = Phase(
    steps=150, batch=8, size=192, rate=4e-4, final=0.02, warmup=20, distil=1.0,
    entries=(1, 1, 2, 2, 2), through=(3, 4, 5), stages=0.2, pixels=0.4,
)  # fmt: skip

PAIRS = 8
PAIR_SIZE = 320


def scaled(spec: ModelSpec, share: float) -> ModelSpec:
    """All widths and heads times `share`, in multiples of 8."""

    def times(widths: list[int]) -> list[int]:
        return [max(8, round(width * share / 8) * 8) for width in widths]

    encoder = EncoderSpec([times(widths) for widths in spec.encoder.widths], times(spec.encoder.ranks))
    return ModelSpec(spec.name, encoder, [StageSpec(times(stage.low), times(stage.high)) for stage in spec.stages])


def variants(spec: ModelSpec) -> dict[str, ModelSpec]:
    """The shipped architecture and what else it could be."""
    (one, two, three, four, five), ranks = spec.encoder.widths, spec.encoder.ranks
    first, *stages = spec.stages

    def encoder(widths: list[list[int]], heads: list[int] = ranks) -> ModelSpec:
        return replace(spec, encoder=EncoderSpec(widths, heads))

    return {
        "shipped": spec,
        "narrower: 3/4": scaled(spec, 0.75),
        "wider: 5/4": scaled(spec, 1.25),
        "2 convolutions in blocks 3 and 4": encoder([one, two, three[:2], four[:2], five]),
        "2 in blocks 3 and 4, wider": encoder([one, two, [128] * 2, [272] * 2, five]),
        "1 in blocks 1 and 2": encoder([one[:1], two[:1], three, four, five]),
        "cheap full resolution: 24 channels": replace(
            encoder([[24, 24], two, three, four, five], [24, *ranks[1:]]), stages=[StageSpec([], [32]), *stages]
        ),
        "wider head at relu5_1: 320": encoder([one, two, three, four, five], [*ranks[:4], 320]),
        "narrower heads: 2/3": encoder([one, two, three, four, five], [24, 32, 64, 128, 168]),
        "decoder without hidden high convolutions": replace(
            spec, stages=[first, *(StageSpec(stage.low, []) for stage in stages)]
        ),
    }


@torch.no_grad()
def start_encoder(student: Encoder, teacher: Teacher, pictures: torch.Tensor, generator: torch.Generator) -> None:
    """`wct.training.closed_form.start_encoder` for blocks of any length: the last layer of a block imitates VGG's."""
    originals, t, s = teacher.vgg.layers(), pictures, pictures
    for name, conv in student.layers():
        block, i = int(name[0]), int(name[2])
        ends = name.endswith("_1") or i < len(student.spec.widths[block - 1])
        wanted = name if ends else f"{block}_{len(VGG19.widths[block - 1])}"
        if name.endswith("_1") and name != "1_1":
            s = F.max_pool2d(s, 2, ceil_mode=True)
        other = ""
        while other != wanted:
            other, original = next(originals)
            if other.endswith("_1") and other != "1_1":
                t = F.max_pool2d(t, 2, ceil_mode=True)
            before = torch.cat([convolve(original, x) for x in torch.split(t, 8)])
            t = F.relu(before)
        _fit(conv, s, before, generator)
        s = _activate(conv, s)
        if name.endswith("_1"):
            head: Any = student.get_submodule(f"head{block}")
            sampler = Sampler(s, 4 * SAMPLES_PER_UNKNOWN * head.in_channels, generator)
            _set(head, *ridge(sampler.values(s), sampler.values(teacher.bases[block - 1](t))))


def trained(spec: ModelSpec, steps: int, eye: Model, data: PictureSet, folder: Path) -> Stylizer:
    """A model that has learnt for `steps`. It is not read from a folder, where blocks need VGG-19's length."""
    recipe = Recipe(spec, 1, "bf16", 96, 192, [], [replace(PHASE, steps=steps)], {})
    run = Run(folder, torch.device("cpu"))
    folder.mkdir(parents=True, exist_ok=True)
    teacher = load_teacher(recipe, eye.encoder, run, data)
    torch.manual_seed(recipe.seed)
    encoder = placed(Encoder(spec.encoder), run.device)
    if not run.has("decoder"):
        with autocast(run.device, recipe.precision):
            pictures = data.batch(0, recipe.start, recipe.start_size)[0]
            start_encoder(encoder, teacher, pictures, torch.Generator().manual_seed(recipe.seed))
    both: Any = train_decoders(recipe, encoder, teacher, data, run)
    card = replace(find("compact"), spec=replace(spec, name=folder.name))
    return Stylizer(Model(card, both["encoder"], both["decoder"], run.device))


@torch.inference_mode()
def quality(stylizer: Stylizer, photos: list[Picture], styles: list[Picture], eye: Model) -> dict[str, Any]:
    """Median PSNR per level, and mean distances of the pairs."""
    model, found = stylizer.model, {}
    for level in LEVELS:
        values = []
        for photo in photos:
            x = photo.rgb[None]
            values.append(psnr(model.decoder(model.encoder(x, (level,))[level], level, photo.size).clamp(0, 1), x))
        found[f"relu{level}_1"] = round(median(values), 2)
    pairs = [(photo.resized(PAIR_SIZE), style) for photo, style in zip(photos[::2], styles, strict=False)][:PAIRS]
    made = [(stylizer(photo, style), photo, style) for photo, style in pairs]
    found["style_distance"] = round(fmean(style_distance(eye, one, style) for one, _, style in made), 4)
    found["content_distance"] = round(fmean(content_distance(eye, one, photo) for one, photo, _ in made), 4)
    return found


def times(stylizers: dict[str, Stylizer], size: int, repeats: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Seconds and GFLOP of a stylisation with the style held, all in turns."""
    content, style = noise_picture(size, 1), noise_picture(size, 2)
    held = {name: one.style(style) for name, one in stylizers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in stylizers}
    for turn in range(repeats + 1):
        for name, one in stylizers.items():
            began = time.perf_counter()
            one(content, held[name])
            if turn:
                seconds[name].append(time.perf_counter() - began)
    for name, one in stylizers.items():
        flops = convolution_flops(lambda one=one, name=name: one(content, held[name]))  # type: ignore[misc]
        weights = sum(p.numel() for part in (one.model.encoder, one.model.decoder) for p in part.parameters())
        yield name, {"seconds": round(median(seconds[name]), 4), "gflop": round(flops / 1e9, 1), "weights": weights}


def curve(rows: dict[str, dict[str, Any]], file: Path) -> None:
    """Reconstruction from relu3_1 to relu5_1 against time, and the distances against time."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for number, (name, row) in enumerate(rows.items(), 1):
        deep = fmean(row[f"relu{level}_1"] for level in (3, 4, 5))
        left.plot(row["seconds"], deep, "o")
        left.annotate(str(number), (row["seconds"], deep), textcoords="offset points", xytext=(5, 4))
        right.plot(row["seconds"], row["style_distance"], "o", label=f"{number} {name}")
        right.annotate(str(number), (row["seconds"], row["style_distance"]), textcoords="offset points", xytext=(5, 4))
    left.set(xlabel="seconds, style held", ylabel="dB, mean of relu3_1 to relu5_1", title="Reconstruction")
    right.set(xlabel="seconds, style held", ylabel="style distance", title="Style distance, smaller is nearer")
    right.legend(frameon=False, fontsize=7)
    figure.savefig(file, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("styles", type=Path)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--vgg", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--steps", type=int, default=PHASE.steps)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    eye = Model.load("vgg19", encoder=given.vgg)
    data = PictureSet(given.data, 1)
    found = {
        name: spec for name, spec in variants(find("compact").spec).items() if not given.only or name in given.only
    }
    photos, styles = chosen(given.photos, 22, 288), chosen(given.styles, PAIRS, PAIR_SIZE)
    rows: dict[str, dict[str, Any]] = {}
    stylizers: dict[str, Stylizer] = {}
    for name, spec in found.items():
        folder = given.output / "".join(c if c.isalnum() else "-" for c in name)
        stylizers[name] = trained(spec, given.steps, eye, data, folder)
        rows[name] = quality(stylizers[name], photos, styles, eye)
        Console().print(name, rows[name])
    for name, row in times(stylizers, given.size, given.repeats):
        rows[name] |= row
    (given.output / "architectures.json").write_text(json.dumps(rows, indent=1))
    curve(rows, given.output / "curve.png")
    table = Table("", *next(iter(rows.values())), title=f"{given.steps} steps, n = {given.repeats}")
    for number, (name, row) in enumerate(rows.items(), 1):
        table.add_row(f"{number} {name}", *map(str, row.values()))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
