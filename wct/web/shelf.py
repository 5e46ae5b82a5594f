"""The shelf: a folder of style files, seen by all visitors."""

from __future__ import annotations

import re
from pathlib import Path

from wct.errors import InputError, OutputError, UsageError
from wct.images import Picture
from wct.images.label import one_line
from wct.style import Style

__all__ = ["Shelf"]

_NAME = re.compile(r"\w[\w -]{0,39}")
_MOST = 200
"""Styles that a shelf takes: visitors may fill it, but not the disk."""


class Shelf:
    """Styles kept by name as `NAME.style` in a folder, which is made when the first one is saved."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[tuple[str, int], Picture] = {}

    def names(self) -> list[str]:
        """What is there, by the alphabet, `_MOST` at most."""
        return sorted(path.stem for path in self.folder.glob("*.style"))[:_MOST]

    def pictures(self) -> dict[str, Picture]:
        """A small picture of every style that can be read, by name."""
        found: dict[tuple[str, int], Picture] = {}
        for name in self.names():
            try:
                key = name, self._path(name).stat().st_mtime_ns
                found[key] = self._seen[key] if key in self._seen else self.load(name).picture()
            except (InputError, OSError):  # damaged, or gone meanwhile
                continue
        self._seen = found
        return {name: picture for (name, _), picture in found.items()}

    def load(self, name: str) -> Style:
        """The style of a name; InputError where there is none such, or it is damaged."""
        if name not in self.names():
            raise InputError(f"style {name!r}: is not on the shelf any more; choose another")
        return Style.load(self._path(name))

    def save(self, style: Style, name: str) -> str:
        """Keep a style, and return its name, without spaces around it.

        Raises:
            UsageError: the name is empty, too long or has other signs than letters, digits, spaces, - and _.
            OutputError: the name is taken, the shelf is full, or the folder cannot be written to.
        """
        name = name.strip()
        if not _NAME.fullmatch(name):
            raise UsageError("the style needs a name of 1 to 40 letters, digits, spaces, - or _, such as Blue waves")
        if len(self.names()) >= _MOST:
            raise OutputError(f"the shelf is full: {_MOST} styles; remove some from {self.folder}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{self.folder}: cannot be made ({one_line(error)}); name another with --styles"
            ) from error
        if self._path(name).exists():
            raise OutputError(f"style {name!r}: is on the shelf already; choose another name")
        style.save(self._path(name))
        return name

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.style"
