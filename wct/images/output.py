"""Writing: what can be known beforehand is checked beforehand."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wct.errors import OutputError, UsageError
from wct.files import check_file, write_file
from wct.images.defaults import DEFAULT_QUALITY
from wct.images.encoder import WHITE, encode
from wct.images.formats import WRITE_EXTENSIONS, can_write
from wct.images.label import label, one_line

if TYPE_CHECKING:
    from wct.images.picture import Picture

__all__ = ["check_options", "check_output", "write"]

StrPath = str | os.PathLike[str]


def check_output(
    path: StrPath,
    *,
    overwrite: bool = False,
    inputs: Iterable[StrPath] = (),
    quality: int = DEFAULT_QUALITY,
    background: tuple[int, int, int] = WHITE,
    bits: int = 8,
    metadata: bool = False,
) -> None:
    """Refuse a destination that cannot work, before any time goes into computing what to write there.

    Raises UsageError where the extension names no format that can be written or an option of `write` does not
    fit it, and OutputError where the folder is missing, forbidden or full, where `path` is a folder or a special
    file, where it exists (unless `overwrite`), where it is the same file as one of `inputs` (always), and where "-"
    is a terminal.
    """
    if not os.path.isdir(path):  # or the folder's name would be refused, and not that it is one
        check_options(path, quality=quality, background=background, bits=bits, metadata=metadata)
    check_file(path, overwrite=overwrite, inputs=inputs)


def check_options(
    path: StrPath,
    *,
    quality: int = DEFAULT_QUALITY,
    background: tuple[int, int, int] = WHITE,
    bits: int = 8,
    metadata: bool = False,
) -> None:
    """Refuse what `check_output` refuses about the name and the options alone, wherever they will go."""
    kind = _kind(path)
    if not 1 <= quality <= 100:
        raise UsageError(f"quality: found {quality}; needed 1 to 100")
    if bits not in (8, 16) or (bits == 16 and kind != "PNG"):
        raise UsageError(f"bits: found {bits} for {kind}; needed 8, or 16 with .png")
    if len(background) != 3 or not all(0 <= value <= 255 for value in background):
        raise UsageError(f"background: found {background}; needed three values from 0 to 255")
    if metadata and kind == "BMP":
        raise UsageError(f"{label(path)}: BMP holds no metadata; choose another format or leave them out")
    if not can_write(kind):
        raise OutputError(f"{label(path)}: this Pillow cannot write {kind}; use .png instead")


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
    exif: bytes | None = None,
) -> None:
    """Write `picture` to `path`, in the format of its extension; "-" sends a PNG to standard output, and nothing else.

    The file is atomic: written beside its destination under another name, then renamed. Whatever goes wrong, an
    old file stays as it was and no temporary file remains. Output is tagged sRGB (BMP, which cannot be, is sRGB by
    convention), is stored upright, and carries no metadata but what it is given.

    overwrite: replace an existing file. inputs: files that are never written over, whatever `overwrite` says.
    quality: 1..100 for JPEG, WebP and AVIF; WebP at 100 is lossless, also in its hidden colours.
    background: the 8-bit sRGB colour under transparent pixels in JPEG and BMP, which have no alpha.
    bits: 8, or 16 for PNG. comment: a line of text to keep in the file (not in BMP).
    exif: a block of camera data to keep in the file (`read_exif`; not in BMP).

    Alpha is kept exactly in PNG, TIFF and WebP; AVIF codes it with the given quality. A 16-bit alpha is rounded in
    formats of 8 bits, and makes a PNG one of 16 bits where 8 could not hold it.

    Raises UsageError where an option is out of range, and OutputError where the file cannot be written.
    BrokenPipeError passes through: a reader of standard output that left is no error of the picture.
    """
    inputs = tuple(inputs)
    options: Any = {"quality": quality, "background": background, "bits": bits}
    check_output(path, overwrite=overwrite, inputs=inputs, metadata=exif is not None, **options)
    kind, name = _kind(path), label(path)
    try:
        data = encode(picture, kind, comment=comment, exif=exif, **options)
    except Exception as error:
        cause = one_line(error)
        raise OutputError(f"{name}: cannot be encoded as {kind} ({cause}); try another format, such as .png") from error
    write_file(data, path, overwrite=overwrite)


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
