"""What the name of a clip or output says, without opening anything."""

from __future__ import annotations

import os
import re
from pathlib import Path

from wct.errors import UsageError
from wct.images.label import label

__all__ = ["CONTAINERS", "container_of", "is_pattern", "matching", "numbered_name", "target_of"]

NUMBERED = "%06d.png"
"""Names of the pictures in a folder."""

CONTAINERS = {
    ".mp4": ("mp4", "libx264"),
    ".m4v": ("mp4", "libx264"),
    ".mov": ("mov", "libx264"),
    ".mkv": ("matroska", "libx264"),
    ".webm": ("webm", "libvpx-vp9"),
}
"""{extension: (container, encoder)} of the films that can be written."""

_NUMBER = re.compile(r"%(0\d{1,3})?d")


def container_of(path: str) -> tuple[str, str]:
    """(container, encoder) by the extension; UsageError for one that is unknown."""
    found = CONTAINERS.get(Path(path).suffix.lower())
    if found is None:
        known = ", ".join(CONTAINERS)
        raise UsageError(f"{label(path)}: its extension names no film that can be written; choose among {known}")
    return found


def is_pattern(path: str | os.PathLike[str]) -> bool:
    """True for names with one number to fill in, such as frame_%04d.png."""
    return len(_NUMBER.findall(Path(path).name)) == 1


def numbered_name(name: str, number: int) -> str:
    """The name that a pattern stands for at a number; any other % in it is no more than a sign."""
    return _NUMBER.sub(lambda found: str(number).zfill(int(found[1] or 0)), name)


def matching(name: str) -> re.Pattern[str]:
    """What matches the names that a pattern stands for, with the number as its group."""
    start, end = next(_NUMBER.finditer(name)).span()
    return re.compile(re.escape(name[:start]) + r"(\d+)" + re.escape(name[end:]))


def target_of(output: str) -> Path:
    """The film, or the pattern of the pictures where `output` is a pattern or a folder."""
    path = Path(output)
    if is_pattern(path):
        return path
    return path / NUMBERED if output.endswith(os.sep) or path.is_dir() or not path.suffix else path
