"""Training pictures from folders and tar shards, cropped at random but repeatably."""

from __future__ import annotations

import io
import os
import tarfile
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from wct.errors import TrainingError
from wct.memory import free_memory
from wct.training.processes import on_this_machine

__all__ = ["PictureSet"]

Pixels = NDArray[np.uint8]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
TOLERATED = 0.05
"""Share of unreadable pictures above which a run stops: a broken data set, not a few broken files."""
THREADS = min(16, os.cpu_count() or 1)
"""Batches that are made at once, ahead of their steps: a GPU takes them faster than one thread makes them."""
KEPT = 0.25
"""Share of the free memory for decoded pictures, so that later rounds decode nothing: Pillow decodes WebP one by one,
whatever the threads, which took 87 ms for 32 pictures where an H200 took 58 for the step."""


@dataclass(frozen=True)
class Entry:
    """One picture: a file, or `size` bytes at `offset` of a tar shard."""

    path: Path
    name: str
    offset: int = 0
    size: int = -1

    def read(self) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


def _entries(source: Path) -> Iterable[Entry]:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                yield Entry(path, str(path))
            elif path.suffix.lower() == ".tar":
                yield from _entries(path)
        return
    try:
        with tarfile.open(source) as tar:
            for member in tar:
                if member.isfile() and Path(member.name).suffix.lower() in SUFFIXES:
                    yield Entry(source, f"{source}:{member.name}", member.offset_data, member.size)
    except (OSError, tarfile.TarError) as error:
        raise TrainingError(
            f"{source}: is no folder and no whole tar file ({error}); name pictures to train on"
        ) from error


@dataclass
class PictureSet:
    """All pictures below the given folders and in the given tar shards (uncompressed).

    `batch(step)` depends on the seed and the step alone, so that a resumed run sees the same pictures.
    Unreadable pictures are counted in `unreadable` and replaced by the next one; more than TOLERATED of
    those tried raises TrainingError, and so does an empty set.
    """

    sources: Iterable[Path]
    seed: int = 0
    unreadable: set[str] = field(default_factory=set)
    kept: dict[int, Pixels] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.entries = [entry for source in self.sources for entry in _entries(Path(source))]
        self.tried: set[int] = set()
        self.room = int(KEPT * free_memory(torch.device("cpu")) / on_this_machine())
        if not self.entries:
            raise TrainingError(
                f"no pictures in {', '.join(map(str, self.sources))}; name folders or tar files of some"
            )

    def __len__(self) -> int:
        return len(self.entries)

    def _decode(self, index: int) -> Pixels | None:
        if (known := self.kept.get(index)) is not None:
            return known
        entry = self.entries[index]
        self.tried.add(index)
        try:
            with Image.open(io.BytesIO(entry.read())) as image:
                found = np.array(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            self.unreadable.add(entry.name)
            if len(self.unreadable) > max(2, TOLERATED * len(self.tried)):
                raise TrainingError(
                    f"{len(self.unreadable)} of {len(self.tried)} pictures unreadable, "
                    f"last {entry.name}; repair the data set"
                ) from None
            return None
        if found.nbytes <= self.room:
            self.room -= found.nbytes
            self.kept[index] = found
        return found

    def _crop(self, index: int, size: int, rng: np.random.Generator) -> tuple[Tensor, str]:
        while (pixels := self._decode(index)) is None:
            index = (index + 1) % len(self)
        height, width = pixels.shape[:2]
        if (scale := size / min(height, width)) > 1:
            height, width = max(size, round(height * scale)), max(size, round(width * scale))
            pixels = np.asarray(Image.fromarray(pixels).resize((width, height)))
        left = int(rng.integers(width - size + 1))
        top = int(rng.integers(height - size + 1))
        pixels = pixels[top : top + size, left : left + size]
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        return torch.from_numpy(pixels.copy()), self.entries[index].name

    def batch(self, step: int, n: int, size: int) -> tuple[Tensor, list[str]]:
        """`n` random crops (n, 3, size, size), float32 RGB in 0..1, channels last, and their names.

        Every picture comes once per round of len(self) / n steps, in an order that changes with the round.
        """
        rng = np.random.default_rng([self.seed, step])
        turns = range(step * n // len(self), ((step + 1) * n - 1) // len(self) + 1)
        orders = {turn: np.random.default_rng([self.seed, turn, 1]).permutation(len(self)) for turn in turns}
        crops, names = [], []
        for position in range(step * n, (step + 1) * n):
            turn, place = divmod(position, len(self))
            crop, name = self._crop(int(orders[turn][place]), size, rng)
            crops.append(crop)
            names.append(name)
        return torch.stack(crops).float().div_(255).permute(0, 3, 1, 2), names

    def batches(
        self, wanted: Iterable[tuple[int, int, int]], device: torch.device
    ) -> Generator[tuple[Tensor, list[str]], None, None]:
        """`batch(step, n, size)` for each one wanted, in turn, where `device` takes them fastest; threads work ahead.

        Raises TrainingError in the turn of the batch that raises it.
        """

        def made(step: int, n: int, size: int) -> tuple[Tensor, list[str]]:
            pictures, names = self.batch(step, n, size)
            return (pictures.pin_memory() if device.type == "cuda" else pictures), names

        ahead: deque[Future[tuple[Tensor, list[str]]]] = deque()
        pool = ThreadPoolExecutor(THREADS)
        try:
            for each in wanted:
                ahead.append(pool.submit(made, *each))
                if len(ahead) > THREADS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
