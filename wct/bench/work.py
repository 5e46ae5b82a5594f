"""Work: the stylisations that are measured, from files to files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from wct.bench.reference import Reference
from wct.images import Picture, read
from wct.stylizer import Stylizer

__all__ = ["WAYS", "Files", "noise_picture", "reference_run", "ways"]

WAYS = {
    "picture": "given as a picture, which is encoded",
    "file": "saved before, in a style file",
    "held": "saved before, in memory, as for many pictures",
    "plan": "its maps solved before, as for the frames of a film",
}
"""How a style is given."""


@dataclass(frozen=True)
class Files:
    """A folder with a content, a style picture, that style saved, and the result."""

    folder: Path

    @property
    def content(self) -> Path:
        return self.folder / "content.png"

    @property
    def painting(self) -> Path:
        return self.folder / "painting.png"

    @property
    def saved(self) -> Path:
        return self.folder / "saved.style"

    @property
    def result(self) -> Path:
        return self.folder / "result.png"

    def write(self, size: int) -> None:
        """Make the pictures, square with sides of `size` pixels."""
        for seed, path in enumerate((self.content, self.painting), 1):
            Picture(noise_picture(size, seed)).save(path, overwrite=True)

    def save_style(self, stylizer: Stylizer) -> None:
        """Save the style as the stylizer's model sees it."""
        stylizer.style(self.painting).save(self.saved, overwrite=True)


def noise_picture(size: int, seed: int) -> Tensor:
    """RGB (3, size, size) in 0..1: noise on every scale, so that no feature is flat."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.zeros(1, 3, size, size)
    for exponent in range(1, size.bit_length()):
        noise = torch.rand(1, 3, 2**exponent, 2**exponent, generator=generator)
        total += F.interpolate(noise, (size, size), mode="bilinear") / exponent
    return (total - total.amin()).div(total.amax() - total.amin())[0]


def ways(stylizer: Stylizer, files: Files) -> dict[str, Callable[[], object]]:
    """A stylisation for each of `WAYS`, from the photo's file to the result's."""
    held = stylizer.style(files.painting)
    plan = stylizer.plan([files.content], held)
    styles: dict[str, Any] = {"picture": files.painting, "file": files.saved, "held": held, "plan": plan}

    def run(way: str) -> Callable[[], object]:
        return lambda: stylizer(files.content, styles[way]).save(files.result, overwrite=True)

    return {way: run(way) for way in styles}


def reference_run(reference: Reference, files: Files, device: torch.device) -> Callable[[], object]:
    """The original algorithm, from the same files to the same file."""

    def run() -> None:
        pictures = (read(path).rgb[None].to(device) for path in (files.content, files.painting))
        Picture(reference(*pictures)[0].cpu()).save(files.result, overwrite=True)

    return run
