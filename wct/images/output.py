"""Writing: what can be known beforehand is checked beforehand, and a file appears whole or not at all."""

from __future__ import annotations

import difflib
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from wct.errors import OutputError, UsageError
from wct.images.defaults import DEFAULT_QUALITY
from wct.images.encoder import WHITE, encode
from wct.images.formats import WRITE_EXTENSIONS, can_write
from wct.images.label import label, one_line

if TYPE_CHECKING:
    from wct.images.picture import Picture

__all__ = ["check_output", "write"]

StrPath = str | os.PathLike[str]


def check_output(
    path: StrPath,
    *,
    overwrite: bool = False,
    inputs: Iterable[StrPath] = (),
    quality: int = DEFAULT_QUALITY,
    background: tuple[int, int, int] = WHITE,
    bits: int = 8,
) -> None:
    """Refuse a destination that cannot work, before any time goes into computing what to write there.

    Raises UsageError where the extension names no format that can be written or an option of `write` does not
    fit it, and OutputError where the folder is missing, forbidden or full, where `path` is a folder or a special
    file, where it exists (unless `overwrite`), where it is the same file as one of `inputs` (always), and where "-"
    is a terminal.
    """
    name = label(path)
    if os.fspath(path) == "-":
        _check_options("PNG", quality, background, bits)
        if sys.stdout.isatty():
            raise OutputError("-: standard output is a terminal; redirect it to a file or into a pipe")
        return
    try:
        target = _target(path)
        if target.is_dir():
            raise OutputError(f"{name}: is a folder; name a file inside it")
        kind = _kind(path)
        _check_options(kind, quality, background, bits)
        if not can_write(kind):
            raise OutputError(f"{name}: this Pillow cannot write {kind}; use .png instead")
        _check_folder(target.parent, name)
        _check_target(target, name, overwrite, inputs)
    except UsageError:
        raise
    except (OSError, ValueError) as error:
        raise OutputError(f"{name}: cannot be written ({one_line(error)}); choose another name") from error


def write(
    picture: Picture,
    path: StrPath,
    *,
    overwrite: bool = False,
    inputs: Iterable[StrPath] = (),
    quality: int = DEFAULT_QUALITY,
    background: tuple[int, int, int] = WHITE,
    bits: int = 8,
    comment: str | None = None,
) -> None:
    """Write `picture` to `path`, in the format of its extension; "-" sends a PNG to standard output, and nothing else.

    The file is atomic: written beside its destination under another name, then renamed. Whatever goes wrong, an
    old file stays as it was and no temporary file remains. Output is tagged sRGB (BMP, which cannot be, is sRGB by
    convention), is stored upright, and carries no metadata of the input.

    overwrite: replace an existing file. inputs: files that are never written over, whatever `overwrite` says.
    quality: 1..100 for JPEG, WebP and AVIF; WebP at 100 is lossless, also in its hidden colours.
    background: the 8-bit sRGB colour under transparent pixels in JPEG and BMP, which have no alpha.
    bits: 8, or 16 for PNG. comment: a line of text to keep in the file (not in BMP).

    Alpha is kept exactly in PNG, TIFF and WebP; AVIF codes it with the given quality. A 16-bit alpha is rounded in
    formats of 8 bits, and makes a PNG one of 16 bits where 8 could not hold it.

    Raises UsageError where an option is out of range, and OutputError where the file cannot be written.
    BrokenPipeError passes through: a reader of standard output that left is no error of the picture.
    """
    inputs = tuple(inputs)
    check_output(path, overwrite=overwrite, inputs=inputs, quality=quality, background=background, bits=bits)
    kind, name = _kind(path), label(path)
    try:
        data = encode(picture, kind, quality=quality, background=background, bits=bits, comment=comment)
    except Exception as error:
        cause = one_line(error)
        raise OutputError(f"{name}: cannot be encoded as {kind} ({cause}); try another format, such as .png") from error
    if os.fspath(path) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        _write_atomically(data, _target(path), overwrite)
    except FileExistsError as error:
        raise OutputError(f"{name}: appeared meanwhile and was kept; choose another name") from error
    except OSError as error:
        raise OutputError(f"{name}: cannot be written ({one_line(error)}); make room or choose a folder") from error


def _target(path: StrPath) -> Path:
    """The file itself where `path` is a link to it, so that writing keeps the link."""
    return Path(os.path.realpath(path))


def _kind(path: StrPath) -> str:
    if os.fspath(path) == "-":
        return "PNG"
    extension = Path(path).suffix.lower()
    if extension in WRITE_EXTENSIONS:
        return WRITE_EXTENSIONS[extension]
    near = difflib.get_close_matches(extension, WRITE_EXTENSIONS, n=1)
    remedy = f"did you mean {near[0]}?" if near else "end the name with one of these"
    found = f"the extension {label(extension)}" if extension else "no extension"
    raise UsageError(f"{label(path)}: found {found}; needed {', '.join(WRITE_EXTENSIONS)}; {remedy}")


def _check_folder(folder: Path, name: str) -> None:
    where = label(folder)
    if not folder.exists():
        raise OutputError(f"{name}: the folder {where} does not exist; create it first")
    if not folder.is_dir():
        raise OutputError(f"{name}: {where} is not a folder; choose another place")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{name}: the folder {where} cannot be written to; choose another or change its permissions")
    if shutil.disk_usage(folder).free == 0:
        raise OutputError(f"{name}: the disk that holds {where} is full; make room or choose another folder")


def _check_target(target: Path, name: str, overwrite: bool, inputs: Iterable[StrPath]) -> None:
    if not target.exists():
        return
    if not target.is_file():
        raise OutputError(f"{name}: is not a regular file; choose another name")
    for source in inputs:
        if os.fspath(source) != "-" and os.path.exists(source) and os.path.samefile(source, target):
            raise OutputError(f"{name}: is the input {label(source)}, which is never overwritten; choose another name")
    if not overwrite:
        raise OutputError(f"{name}: exists already; choose another name or allow overwriting")


def _check_options(kind: str, quality: int, background: tuple[int, int, int], bits: int) -> None:
    if not 1 <= quality <= 100:
        raise UsageError(f"quality: found {quality}; needed 1 to 100")
    if bits not in (8, 16) or (bits == 16 and kind != "PNG"):
        raise UsageError(f"bits: found {bits} for {kind}; needed 8, or 16 with .png")
    if len(background) != 3 or not all(0 <= value <= 255 for value in background):
        raise UsageError(f"background: found {background}; needed three values from 0 to 255")


def _write_atomically(data: bytes, target: Path, overwrite: bool) -> None:
    temporary = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        # Opened with "x", so that no other writer can hold the same name, and with the user's usual permissions.
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        _publish(temporary, target, overwrite)
    finally:
        temporary.unlink(missing_ok=True)


def _publish(temporary: Path, target: Path, overwrite: bool) -> None:
    """Give the finished file its name. A link, unlike a rename, never replaces a file that appeared meanwhile."""
    if not overwrite:
        try:
            os.link(temporary, target)
            return
        except FileExistsError:
            raise
        except OSError:
            pass  # a file system without hard links
    elif target.exists():
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    os.replace(temporary, target)
