"""Training pictures from folders and tar shards, cropped at random but repeatably."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wct.errors import TrainingError

__all__ = ["PictureSet"]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
TOLERATED = 0.05
"""Share of unreadable pictures above which a run stops: a broken data set, not a few broken files."""


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

    def __post_init__(self) -> None:
        self.entries = [entry for source in self.sources for entry in _entries(Path(source))]
        self.tried: set[int] = set()
        if not self.entries:
            raise TrainingError(
                f"no pictures in {', '.join(map(str, self.sources))}; name folders or tar files of some"
            )

    def __len__(self) -> int:
        return len(self.entries)

    def _decode(self, index: int) -> Image.Image | None:
        entry = self.entries[index]
        self.tried.add(index)
        try:
            with Image.open(io.BytesIO(entry.read())) as image:
                return image.convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            self.unreadable.add(entry.name)
            if len(self.unreadable) > max(2, TOLERATED * len(self.tried)):
                raise TrainingError(
                    f"{len(self.unreadable)} of {len(self.tried)} pictures unreadable, "
                    f"last {entry.name}; repair the data set"
                ) from None
            return None

    def _crop(self, index: int, size: int, rng: np.random.Generator) -> tuple[Tensor, str]:
        while (image := self._decode(index)) is None:
            index = (index + 1) % len(self)
        scale = size / min(image.size)
        if scale > 1:
            image = image.resize((max(size, round(image.width * scale)), max(size, round(image.height * scale))))
        left = int(rng.integers(image.width - size + 1))
        top = int(rng.integers(image.height - size + 1))
        pixels = np.asarray(image.crop((left, top, left + size, top + size)))
        if rng.random() < 0.5:
            pixels = pixels[:, ::-1]
        return torch.from_numpy(pixels.copy()), self.entries[index].name

    def batch(self, step: int, n: int, size: int) -> tuple[Tensor, list[str]]:
        """`n` random crops (n, 3, size, size), float32 RGB in 0..1, channels last, and their names.

        Every picture comes once per round of len(self) / n steps, in an order that changes with the round.
        """
        rng = np.random.default_rng([self.seed, step])
        crops, names = [], []
        for position in range(step * n, (step + 1) * n):
            turn, place = divmod(position, len(self))
            order = np.random.default_rng([self.seed, turn, 1]).permutation(len(self))
            crop, name = self._crop(int(order[place]), size, rng)
            crops.append(crop)
            names.append(name)
        return torch.stack(crops).permute(0, 3, 1, 2).float().div_(255), names
