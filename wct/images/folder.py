"""Folders of pictures."""

from __future__ import annotations

import os
from pathlib import Path

from wct.errors import InputError
from wct.images.formats import READ_EXTENSIONS
from wct.images.label import label, one_line

__all__ = ["list_pictures"]


def list_pictures(folder: str | os.PathLike[str], *, recursive: bool = False) -> list[Path]:
    """The pictures in `folder`, by extension and sorted; hidden files and folders are left out.

    With `recursive` its subfolders too; links to folders are not followed. The files are not opened.
    Raises InputError where `folder` is missing, not a folder, or cannot be listed.
    """
    found: list[Path] = []

    def refuse(error: OSError) -> None:
        raise InputError(f"{label(error.filename)}: the folder cannot be listed ({one_line(error)}); check its name")

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        found += [Path(parent, name) for name in files if _is_picture(name)]
    return sorted(found)


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in READ_EXTENSIONS
