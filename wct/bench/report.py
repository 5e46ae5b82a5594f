"""The whole benchmark, as one table of numbers."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wct import __version__
from wct.bench.ceilings import ceilings
from wct.bench.clock import Clock, spread
from wct.bench.memory import Task, peak
from wct.bench.reference import Reference
from wct.bench.stages import OTHER, STAGES, convolution_flops, timed
from wct.bench.work import Files, reference_run, ways
from wct.devices import name_of
from wct.evaluation import psnr
from wct.images import read
from wct.models import Model
from wct.models.vgg import VGG19
from wct.stylizer import Stylizer

__all__ = ["REFERENCE", "Subject", "bench", "likeness"]

REFERENCE = "reference"
"""What the original algorithm is called among the models."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Subject:
    """A model to measure, what it is called, and the file of its encoder's weights where that was named."""

    name: str
    model: Model
    encoder: Path | None = None


@dataclass(frozen=True)
class Run:
    """A stylisation to measure: of which model, the style given in which way, and in which dtype it convolves."""

    model: str
    way: str
    dtype: str
    do: Callable[[], object]


def bench(
    subjects: Sequence[Subject],
    sizes: Sequence[int],
    repeats: int,
    device: torch.device,
    reference: Reference | None = None,
    tell: Tell = lambda _: None,
) -> dict[str, Any]:
    """Ceilings of the machine, then of each model and size time by stage, memory, and likeness to the plain algorithm.

    Args:
        subjects: models with decoders, on `device`.
        sizes: sides of square pictures in pixels; multiples of 16 where there is a reference.
        repeats: rounds that are measured, after one to warm up; in each every stylisation has its turn.
        device: where the models are.
        reference: the original algorithm on `device`, to compare with; None for no comparison.
        tell: told what is done next.

    Raises:
        WctError: a model fails, or the folder for temporary files has no room.
    """
    clock = Clock(device)
    specs = [subject.model.card.spec.encoder for subject in subjects] + ([VGG19] if reference else [])
    report: dict[str, Any] = {"conditions": _conditions(device, repeats)}
    used = {subject.model.precision for subject in subjects}
    report["ceilings"] = ceilings(specs, max(sizes), clock, used, tell)
    limits = report["ceilings"]["best"]["convolution"]
    rows: list[dict[str, Any]] = []
    memory: list[dict[str, Any]] = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="wct-bench-") as folder:
            runs = _runs(subjects, Path(folder), size, device, reference)
            rows += _timed(runs, size, repeats, clock, limits, tell)
            memory += _memory(subjects, Path(folder), size, device, reference, tell)
    report |= {"runs": rows, "memory": memory}
    if reference is not None:
        report["likeness"] = [likeness(one, size, tell) for size in sizes for one in subjects]
    return report


def _conditions(device: torch.device, repeats: int) -> dict[str, Any]:
    """What the figures depend on."""
    cuda = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "wct": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "device": cuda or str(device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "n": repeats,
    }


def _files(folder: Path, number: int) -> Files:
    """The files of one model, 0 for the original algorithm: a saved style is no other's."""
    (own := folder / str(number)).mkdir(exist_ok=True)
    return Files(own)


def _runs(
    subjects: Sequence[Subject], folder: Path, size: int, device: torch.device, reference: Reference | None
) -> list[Run]:
    runs = []
    if reference is not None:
        files = _files(folder, 0)
        files.write(size)
        runs.append(Run(REFERENCE, "picture", "float32", reference_run(reference, files, device)))
    for number, subject in enumerate(subjects, 1):
        stylizer, files = Stylizer(subject.model), _files(folder, number)
        files.write(size)
        files.save_style(stylizer)
        dtype = name_of(subject.model.precision)
        runs += [Run(subject.name, way, dtype, do) for way, do in ways(stylizer, files).items()]
    return runs


def _timed(
    runs: Sequence[Run], size: int, repeats: int, clock: Clock, limits: Mapping[str, float], tell: Tell
) -> list[dict[str, Any]]:
    """Every run of one size, in turns, so that what slows the machine down slows all alike."""
    flops: list[int] = []
    found: list[list[Mapping[str, float]]] = [[] for _ in runs]
    for run in runs:
        tell(f"{run.model} {size} warm-up")
        run.do()
        flops.append(convolution_flops(run.do))
    for turn in range(1, repeats + 1):
        for run, times in zip(runs, found, strict=True):
            tell(f"{run.model} {size} {run.way} {turn} of {repeats}")
            times.append(timed(run.do, clock))
    rows = [
        _row(run, size, count, times, limits[run.dtype]) for run, count, times in zip(runs, flops, found, strict=True)
    ]
    base = rows[0]["compute_s"]["median"] if runs[0].model == REFERENCE else None
    for row in rows:
        row["times_faster"] = base and round(base / row["compute_s"]["median"], 3)
    return rows


def _row(run: Run, size: int, flops: int, times: Sequence[Mapping[str, float]], limit: float) -> dict[str, Any]:
    compute = [sum(one.values()) - one["image_io"] for one in times]
    rate = flops / spread(compute)["median"] / 1e9
    return {
        "model": run.model,
        "size": size,
        "style": run.way,
        "total_s": spread([sum(one.values()) for one in times]),
        "compute_s": spread(compute),
        "stages": {stage: spread([one[stage] for one in times]) for stage in (*STAGES, OTHER)},
        "pictures_per_s": round(1 / spread(compute)["median"], 4),
        "solve_share": round(
            spread([one["solve"] / all_ for one, all_ in zip(times, compute, strict=True)])["median"], 4
        ),
        "convolution_gflop": round(flops / 1e9, 4),
        "gflop_per_s": round(rate, 3),
        "dtype": run.dtype,
        "ceiling_share": round(rate / limit, 4),
    }


def _memory(
    subjects: Sequence[Subject], folder: Path, size: int, device: torch.device, reference: Reference | None, tell: Tell
) -> list[dict[str, Any]]:
    """Peaks of fresh processes."""
    rows: list[dict[str, Any]] = []
    for number, subject in enumerate((None, *subjects)):
        if subject is None and reference is None:
            continue
        name = subject.name if subject else REFERENCE
        tell(f"{name} {size} memory")
        task = Task(
            model=str(subject.model.card.folder) if subject else None,
            encoder=str(subject.encoder) if subject and subject.encoder else None,
            device=str(device),
            precision=name_of(subject.model.precision) if subject else "float32",
            threads=torch.get_num_threads(),
            folder=str(_files(folder, number).folder),
        )
        rows.append({"model": name, "size": size, **peak(task)})
    # On CUDA what counts is the device's memory; the rest is mostly CUDA's libraries.
    kind = "device_mb" if device.type == "cuda" else "above_mb"
    for row in rows:
        row["share_of_reference"] = round(row[kind] / rows[0][kind], 3) if reference else None
    return rows


def likeness(subject: Subject, size: int, tell: Tell = lambda _: None) -> dict[str, Any]:
    """How near the engine comes to the plain algorithm with the same weights, which it only does faster: PSNR in dB.

    Where there are fewer pixels than channels they differ: see `wct.transforms.wct` on what does not vary.
    """
    tell(f"{subject.name} {size} likeness")
    with tempfile.TemporaryDirectory(prefix="wct-bench-") as folder:
        files = Files(Path(folder))
        files.write(size)
        content, painting = read(files.content), read(files.painting)
    found = Stylizer(subject.model)(content, painting, mode="cascade", transform="wct", grain=0.0).rgb
    wanted = Reference.of(subject.model)(content.rgb[None], painting.rgb[None])[0]
    return {"model": subject.name, "size": size, "psnr_db": round(psnr(found, wanted), 2)}
