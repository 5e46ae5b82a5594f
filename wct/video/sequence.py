"""Image sequences: the pictures of a folder, or files numbered by a pattern such as frame_%04d.png."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from wct.errors import InputError
from wct.images import Picture, list_pictures, read
from wct.images.label import label
from wct.video.frame import Frame
from wct.video.targets import is_pattern, matching, numbered_name

__all__ = ["FPS", "Sequence", "files_of", "is_sequence", "numbered"]

FPS = Fraction(25)
"""Frames per second of a sequence where nobody says."""


class Sequence:
    """Pictures one after the other, equally long; see `wct.video.frame.Clip`.

    Args:
        path: a folder, whose pictures are sorted by name with numbers in them as numbers, or a pattern.
        rate: frames per second.
        size: short side to which the pictures are resized; None keeps them.

    Raises:
        InputError: there is no picture, or none can be read.
    """

    def __init__(self, path: str, rate: Fraction | None = None, size: int | None = None) -> None:
        self.name, self.rate, self._size = label(path), rate or FPS, size
        self.time_base = 1 / self.rate
        self.files = numbered(Path(path)) if is_pattern(path) else _listed(Path(path))
        if not self.files:
            raise InputError(f"{self.name}: holds no pictures; name a folder that does, a pattern or a film")
        self.count = len(self.files)

    def frames(self) -> Iterator[Frame]:
        """All frames. Those that cannot be read, or are of another size than the first, are `broken`."""
        last: Picture | None = None
        early: list[tuple[int, int]] = []
        cause: InputError | None = None
        for pts, (number, path) in enumerate(self.files):
            picture: Picture | None = None
            try:
                picture = read(path)
            except InputError as error:
                cause = cause or error
            if picture is not None and self._size is not None:
                picture = picture.resized(self._size)
            if picture is not None and last is not None and picture.size != last.size:
                picture = None
            if picture is None and last is None:
                early.append((pts, number))
                continue
            last = picture or last
            assert last is not None
            yield from (Frame(last, *place, broken=True) for place in early)
            early = []
            yield Frame(last, pts, number, broken=picture is None)
        if last is None:
            raise InputError(f"{self.name}: none of {self.count} pictures can be read; the first: {cause}")


def is_sequence(source: str) -> bool:
    """True for a folder, and for a pattern that is not the name of a file."""
    return os.path.isdir(source) or (is_pattern(source) and not os.path.exists(source))


def files_of(source: str) -> list[Path]:
    """The files that hold a clip; none for a device or an address. InputError for a sequence without pictures."""
    if is_sequence(source):
        return [path for _, path in Sequence(source).files]
    return [Path(source)] if os.path.isfile(source) else []


def numbered(pattern: Path) -> list[tuple[int, Path]]:
    """The files that a pattern stands for, by number."""
    form = matching(pattern.name)
    found = [(int(match[1]), path) for path in _files(pattern.parent) if (match := form.fullmatch(path.name))]
    return sorted((number, path) for number, path in found if numbered_name(pattern.name, number) == path.name)


def _listed(folder: Path) -> list[tuple[int, Path]]:
    ordered = sorted(list_pictures(folder), key=lambda path: _natural(path.name))
    return list(enumerate(ordered, 1))


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts frame2 before frame10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _files(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise InputError(f"{label(folder)}: the folder cannot be listed ({error.strerror}); check its name") from error
