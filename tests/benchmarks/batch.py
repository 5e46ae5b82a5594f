"""How much of a batch's time is the model's own, and whether its memory stays flat."""

from __future__ import annotations

import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from wct import Picture, Stylizer
from wct.batch import batch
from wct.bench.work import noise_picture
from wct.images import read
from wct.jobs import jobs_of

ROUND = 20
"""Pictures of one batch."""

WARM = 10
"""Pictures after which all that stays in memory should be there."""


def photos(folder: Path, size: int, count: int) -> list[Path]:
    """Write JPEGs of `size` x `size` pixels into a folder: ten different pictures, each under many names."""
    data = []
    for seed in range(10):
        Picture(noise_picture(size, seed)).save(folder / "one.jpg", overwrite=True)
        data.append((folder / "one.jpg").read_bytes())
    (folder / "one.jpg").unlink()
    paths = [folder / f"{i:06}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        path.write_bytes(data[i % len(data)])
    return paths


def resident() -> float:
    """Resident memory of this process in MB (10^6 bytes)."""
    return float(psutil.Process().memory_info().rss / 1e6)


def drift(memory: list[float]) -> float:
    """By how much the median of the last quarter exceeds that of the first quarter after WARM pictures."""
    settled = memory[min(WARM, len(memory) - 1) :]
    quarter = max(1, len(settled) // 4)
    return median(settled[-quarter:]) - median(settled[:quarter])


def measure(model: str | Path, size: int, count: int) -> dict[str, Any]:
    """Batches of ROUND JPEGs in turns with the same pictures in memory, until `count` pictures are done.

    Utilisation is the seconds per picture in memory over those in a batch, the median over the rounds.
    """
    stylizer = Stylizer(model, device="cpu")
    style = stylizer.style(noise_picture(size, 99))

    def alone(pictures: list[Picture]) -> float:
        start = time.perf_counter()
        for one in pictures:
            stylizer(one, style)
        return (time.perf_counter() - start) / len(pictures)

    with tempfile.TemporaryDirectory() as name:
        (source := Path(name, "photos")).mkdir()
        sample = [read(path) for path in photos(source, size, count)[: ROUND // 4]]
        jobs = jobs_of(source, Path(name, "out"))
        model_s, batch_s, memory = [alone(sample)], [], []
        for at in range(0, count, ROUND):
            some = jobs[at : at + ROUND]
            start = time.perf_counter()
            for outcome in batch(stylizer, some, [style]):
                assert outcome.status == "done", outcome.error
                memory.append(resident())
            batch_s.append((time.perf_counter() - start) / len(some))
            model_s.append(alone(sample))
    ratios = [(before + after) / 2 / wall for (before, after), wall in zip(pairwise(model_s), batch_s, strict=True)]
    row = {
        "what": f"{stylizer.model.card.name}, JPEG to JPEG",
        "model_s": round(median(model_s), 4),
        "batch_s": round(median(batch_s), 4),
        "utilisation": round(median(ratios), 3),
        "min": round(min(ratios), 3),
        "max": round(max(ratios), 3),
        "drift_mb": round(drift(memory), 1),
    }
    return {"n": count, "rows": [row]}
