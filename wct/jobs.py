"""What a batch has to do: which picture goes into which file."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wct.errors import InputError, OutputError, UsageError
from wct.images import list_pictures
from wct.images.formats import READ_EXTENSIONS, WRITE_EXTENSIONS, can_write
from wct.images.label import label

__all__ = ["Job", "jobs_of"]

StrPath = str | os.PathLike[str]

_OWN = {".jpe": ".jpg", ".jfif": ".jpg"}
"""Extensions of formats that can be written, but not under this name."""


@dataclass(frozen=True)
class Job:
    """One picture of a batch: the file it comes from, and the file it goes to."""

    source: Path
    target: Path


def jobs_of(
    photos: StrPath,
    out: StrPath,
    *,
    recursive: bool = False,
    extension: str | None = None,
    inputs: Iterable[StrPath] = (),
) -> list[Job]:
    """A job for the picture `photos`, or for each in the folder `photos`, sorted; nothing is opened or made.

    Args:
        photos: a picture, or a folder of pictures.
        out: the folder to write to, whose tree is that of `photos`. Where it lies in there, its pictures are no inputs.
        recursive: take the pictures of subfolders too.
        extension: such as ".png", of all targets; None for each picture's own where that format can be written and
            keeps a comment, and ".png" for the others.
        inputs: further files that must not be written over.

    Raises:
        InputError: there is no picture.
        UsageError: two pictures would go to the same file, also where names differ in case alone.
        OutputError: a picture would be written over an input.
    """
    root, sources = _sources(Path(photos), Path(out), recursive)
    jobs = [Job(source, Path(out, _renamed(source.relative_to(root), extension))) for source in sources]
    _check_collisions(jobs, Path(out))
    _check_inputs(jobs, inputs)
    return jobs


def _sources(photos: Path, out: Path, recursive: bool) -> tuple[Path, list[Path]]:
    """The folder that names are relative to, and the pictures."""
    if not photos.is_dir():
        if not photos.exists():
            raise InputError(f"{label(photos)}: no such file or folder; check the name")
        return photos.parent, [photos]
    if os.path.realpath(photos) == os.path.realpath(out):
        raise UsageError(f"{label(out)}: is the folder of the photos; choose another for the results")
    found = list_pictures(photos, recursive=recursive)
    made = Path(os.path.realpath(out))
    if made.is_relative_to(os.path.realpath(photos)):
        inside = {one for one in {path.parent for path in found} if Path(os.path.realpath(one)).is_relative_to(made)}
        found = [path for path in found if path.parent not in inside]
    if not found:
        hint = "name a folder that does" if recursive else "name a folder that does, or add --recursive for subfolders"
        raise InputError(f"{label(photos)}: holds no pictures; {hint}")
    return photos, found


def _renamed(name: Path, extension: str | None) -> Path:
    own = name.suffix.lower()
    if extension is None:
        kind = WRITE_EXTENSIONS.get(_OWN.get(own, own))
        keeps = kind not in (None, "BMP") and can_write(str(kind))  # BMP holds no comment
        extension = _OWN.get(own, name.suffix) if keeps else ".png"
    return name.with_suffix(extension) if own in READ_EXTENSIONS else Path(f"{name}{extension}")


def _check_collisions(jobs: Sequence[Job], out: Path) -> None:
    """UsageError, with all of them, where names meet on some file system: upper and lower case, accents, folders."""
    found: dict[str, list[Job]] = {}
    folders: dict[str, list[Job]] = {}
    for job in jobs:
        name = job.target.relative_to(out)
        found.setdefault(_key(name), []).append(job)
        for folder in name.parents:
            folders.setdefault(_key(folder), [job])
    meeting = [
        (together[0].target, [*together, *folders.get(key, [])])
        for key, together in found.items()
        if len(together) > 1 or key in folders
    ]
    if meeting:
        lines = [f"{' and '.join(label(job.source) for job in some)} to {label(target)}" for target, some in meeting]
        raise UsageError(
            f"several pictures would go to one file: {'; '.join(lines)}; rename some of them, or keep their own formats"
        )


def _key(name: Path) -> str:
    return unicodedata.normalize("NFC", name.as_posix().casefold())


def _check_inputs(jobs: Sequence[Job], inputs: Iterable[StrPath]) -> None:
    kept = {_identity(path) for path in (*(job.source for job in jobs), *inputs)} - {None}
    for job in jobs:
        if _identity(job.target) in kept:
            raise OutputError(f"{label(job.target)}: is an input, which is never overwritten; choose another folder")


def _identity(path: StrPath) -> tuple[int, int] | None:
    """What is the same for all names of a file; None where there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
