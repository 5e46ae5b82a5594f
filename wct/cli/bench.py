"""`wct bench`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wct.cli.options import AsJson, Device, Precision
from wct.cli.terminal import bar, note, show_json, show_table
from wct.errors import ModelError, UsageError

if TYPE_CHECKING:
    import torch

    from wct.bench.reference import Reference
    from wct.bench.report import Subject

__all__ = ["bench"]

SMALLEST = 16

Models = Annotated[
    str | None,
    typer.Option(metavar="NAME|FOLDER,...", help="Which models; all shipped ones that can stylise by default."),
]
Sizes = Annotated[str, typer.Option(metavar="PIXELS,...", help="Sides of the square pictures.")]
Repeats = Annotated[int, typer.Option(min=1, help="Rounds that are measured, after one to warm up.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of the processor.", show_default="torch's choice")]
Vgg = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="VGG-19's weights, if not in place, for the model vgg19 and the reference."
    ),
]
WithReference = Annotated[
    bool, typer.Option("--reference", help="Compare with a plain version of the original algorithm on VGG-19.")
]


def bench(
    models: Models = None,
    sizes: Sizes = "512",
    repeats: Repeats = 5,
    threads: Threads = None,
    device: Device = "auto",
    precision: Precision = "float32",
    reference: WithReference = False,
    vgg: Vgg = None,
    as_json: AsJson = False,
) -> None:
    """Measure speed and memory here: ceilings of the machine, time by stage, share of the ceiling, peak memory."""
    sides = parse_sizes(sizes, 16 if reference else 1)

    import torch

    from wct.bench.report import bench
    from wct.devices import choose_device

    if threads is not None:
        torch.set_num_threads(threads)
    place = choose_device(device)
    subjects, left_out = subjects_of(models, vgg, place, precision)
    plain = plain_reference(vgg, place) if reference else None
    steps = count()
    with bar("bench") as tell:
        report = bench(subjects, sides, repeats, place, plain, lambda what: tell(next(steps), None, what))
    report["left_out"] = left_out
    if as_json:
        show_json(report)
    else:
        show(report)


def parse_sizes(text: str, step: int) -> list[int]:
    """`256,512` as numbers, multiples of `step` from SMALLEST up; UsageError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if all(part.isdecimal() and int(part) >= SMALLEST and int(part) % step == 0 for part in parts):
        return [int(part) for part in parts]
    needed = "multiples of 16, for the reference's poolings" if step > 1 else f"pixels from {SMALLEST} up"
    raise UsageError(f"sizes: found {text!r}; needs {needed}, with commas, such as 256,512")


def subjects_of(
    text: str | None, vgg: Path | None, device: torch.device, precision: str
) -> tuple[list[Subject], dict[str, str]]:
    """The models to measure, and of those nobody named {name: why it is left out}, which is told at once.

    Raises ModelError where a named one cannot stylise, or none is left.
    """
    from wct.bench.report import Subject
    from wct.models import Model, find, names

    found, left_out = [], {}
    for name in names() if text is None else [part.strip() for part in text.split(",")]:
        try:
            encoder = vgg if find(name).name == "vgg19" else None
            model = Model.load(name, device=device, encoder=encoder, precision=precision)
            _ = model.decoder  # a model without cannot stylise: ModelError
            found.append(Subject(name, model, encoder))
        except ModelError as error:
            if text is not None:
                raise
            left_out[name] = str(error)
            note(f"{name} is left out: {error}")
    if not found:
        raise ModelError("no shipped model can stylise; name a model folder with --models")
    return found, left_out


def plain_reference(vgg: Path | None, device: torch.device) -> Reference:
    """The original algorithm, with VGG-19's weights where they are given or in place, else with random ones."""
    from wct.bench.reference import Reference
    from wct.models import find
    from wct.models.model import ENCODER, load_encoder

    card = find("vgg19")
    file = vgg or card.file(ENCODER)
    known = vgg is not None or file.is_file()
    return Reference(load_encoder(card.spec.encoder, file).state_dict() if known else None).to(device)


def show(report: dict[str, Any]) -> None:
    """The report as tables."""
    conditions = (f"{name} {value}" for name, value in report["conditions"].items() if value is not None)
    show_table(", ".join(conditions), ("ceiling", "dtype", "GFLOP/s", "shape", "layout"), _ceilings(report["ceilings"]))
    stages = list(report["runs"][0]["stages"])
    columns = ("model", "size", "style", "total", "from", "to", *(stage.replace("_", " ") for stage in stages))
    show_table("Milliseconds, medians", columns, _times(report["runs"], stages))
    columns = ("model", "size", "style", "s", "pictures/s", "solve", "GFLOP", "GFLOP/s", "ceiling", "times faster")
    show_table("Without image I/O: convolutions against the ceiling", columns, _shares(report["runs"]))
    for part, title in (
        ("memory", "Peak resident memory of fresh processes, MB: importing torch, and above that; saved style"),
        ("likeness", "The plain algorithm with the same weights, and the engine doing the same: PSNR in dB"),
    ):
        rows = report.get(part, [])
        if rows:
            shown = [key for key, value in rows[0].items() if value is not None]
            names = [key.replace("_", " ") for key in shown]
            show_table(title, names, [[row[key] for key in shown] for row in rows])


def _ceilings(found: dict[str, Any]) -> Iterator[list[object]]:
    """The best row of each kind and dtype."""
    for kind, limits in found["best"].items():
        for dtype, rate in limits.items():
            row = next(
                row for row in found["rows"] if (row["kind"], row["dtype"], row["gflop_per_s"]) == (kind, dtype, rate)
            )
            yield [kind, dtype, rate, row["shape"], row["layout"]]


def _times(rows: Iterable[dict[str, Any]], stages: Iterable[str]) -> Iterator[list[object]]:
    for row in rows:
        total = (f"{1e3 * row['total_s'][key]:.1f}" for key in ("median", "min", "max"))
        parts = (f"{1e3 * row['stages'][stage]['median']:.1f}" for stage in stages)
        yield [row["model"], row["size"], row["style"], *total, *parts]


def _shares(rows: Iterable[dict[str, Any]]) -> Iterator[list[object]]:
    for row in rows:
        yield [
            *(row[key] for key in ("model", "size", "style")),
            f"{row['compute_s']['median']:.3f}",
            row["pictures_per_s"],
            f"{row['solve_share']:.1%}",
            row["convolution_gflop"],
            row["gflop_per_s"],
            f"{row['ceiling_share']:.0%}",
            "" if row["times_faster"] is None else row["times_faster"],
        ]
