"""Reading: any source to a Picture, or one line that says why not."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from wct.errors import InputError, UsageError
from wct.images.colour import colour_and_alpha
from wct.images.defaults import DEFAULT_MAX_PIXELS
from wct.images.depth import is_deep, load_deep
from wct.images.formats import FORMATS, HEAD_BYTES, OPENERS, describe, peek, sniff
from wct.images.label import PictureWarning, label, one_line, warn
from wct.images.orientation import orientation, upright
from wct.images.picture import Picture

from . import array

__all__ = ["Source", "read", "read_size"]

Source = str | os.PathLike[str] | bytes | bytearray | IO[bytes] | Image.Image | NDArray[Any] | torch.Tensor | Picture


def read(
    source: Source,
    *,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    formats: Collection[str] = FORMATS,
    name: str | None = None,
) -> Picture:
    """Read a picture: upright, in sRGB, alpha kept apart and bit-exact.

    source: a path ("-" is standard input), bytes, a binary file, a Pillow image, a numpy array (H, W), (H, W, 3) or
        (H, W, 4) of uint8, uint16 or float in 0..1, a torch tensor (3, H, W) of float in 0..1, or a Picture,
        which is returned as it is.
    max_pixels: the budget, checked on the header before anything is decoded; None for no limit.
    formats: those of `FORMATS` that are allowed; the content decides which one a file is, not its extension.
    name: how messages call the picture; by default its path, or a word for what it is.

    Of several frames or pages the first is read, with a `PictureWarning`; a broken colour profile is taken as sRGB,
    with the same. Depth above 8 bits is kept where `wct.images.colour` says so.

    Raises InputError, one line, where the source is missing, damaged, empty, too large or not a picture, and
    UsageError where `source` is of no kind listed here or a limit makes no sense.
    """
    if isinstance(source, Picture):
        return source
    if max_pixels is not None and max_pixels < 1:
        raise UsageError(f"max_pixels: found {max_pixels}; it must be 1 or more, or None for no limit")
    if unknown := sorted(set(formats) - set(FORMATS)):
        raise UsageError(f"formats: found {', '.join(unknown)}; choose among {', '.join(FORMATS)}")
    if isinstance(source, torch.Tensor):
        return array.from_tensor(source, name or "<tensor>", max_pixels)
    if isinstance(source, np.ndarray):
        return array.from_array(source, name or "<array>", max_pixels)
    if isinstance(source, Image.Image):
        name = name or label(getattr(source, "filename", "") or "<image>")
        return _convert(source, None, name, max_pixels)
    if isinstance(source, (str, os.PathLike)) and os.fspath(source) != "-":
        return _read_path(Path(source), name or label(source), max_pixels, formats)
    stream, kind = _stream(source)
    return _decode(stream, name or kind, max_pixels, formats)


def read_size(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """(H, W) as in a picture file's header, before it is turned upright; None where `read` would not read it."""
    try:
        with Path(path).open("rb") as stream:
            image = peek(stream)
            return None if image is None else (image.height, image.width)
    except Exception:  # `read` says what is wrong with it
        return None


def _stream(source: object) -> tuple[IO[bytes], str]:
    """Bytes, a binary file or "-" as a stream that can seek, and what to call it."""
    kind, data = "<bytes>", source
    if source == "-":
        kind, data = "<stdin>", sys.stdin.buffer.read()
    elif hasattr(source, "read"):
        kind = label(str(getattr(source, "name", "<file>")))
        try:
            data = source.read()
        except (OSError, ValueError) as error:
            raise InputError(f"{kind}: cannot be read ({one_line(error)}); open it again") from error
    if not isinstance(data, (bytes, bytearray, memoryview)):
        found = type(source).__name__
        raise UsageError(f"source: found {found}; needed a path, bytes, a binary file, an image, an array or a tensor")
    return io.BytesIO(data), kind


def _read_path(path: Path, name: str, max_pixels: int | None, formats: Collection[str]) -> Picture:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{name}: is a folder; name a picture inside it")
        if not stat.S_ISREG(mode):
            raise InputError(f'{name}: is not a regular file; send its bytes through standard input, as "-"')
        with path.open("rb") as stream:
            return _decode(stream, name, max_pixels, formats)
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file; check the name and the folder") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be opened ({one_line(error)}); check name and permissions") from error


def _decode(stream: IO[bytes], name: str, max_pixels: int | None, formats: Collection[str]) -> Picture:
    head = stream.read(HEAD_BYTES)
    found = sniff(head)
    allowed = ", ".join(kind for kind in FORMATS if kind in formats)
    if not head:
        raise InputError(f"{name}: is empty (0 bytes); make or fetch it again")
    if found is None:
        raise InputError(f"{name}: is {describe(head)}; needed a picture ({allowed}); convert it to one of these")
    if found not in formats:
        raise InputError(f"{name}: is a {found} picture; needed {allowed}; convert it to one of these")

    def opened() -> ImageFile:
        stream.seek(0)
        return OPENERS[found](stream)

    try:
        image = opened()
    except Exception as error:
        raise _damaged(name, found, error) from error
    return _convert(image, opened, name, max_pixels)


def _convert(image: Image.Image, reopen: Callable[[], ImageFile] | None, name: str, max_pixels: int | None) -> Picture:
    """`image`, of which only the header has been read, as a Picture; `reopen` gives it again where it is a file."""
    array.check_size(image.height, image.width, name, max_pixels)
    kind = image.format or image.mode
    pixels = None
    try:
        several = bool(getattr(image, "is_animated", False))
        if reopen is not None and isinstance(image, ImageFile) and is_deep(image):
            pixels = load_deep(image, reopen)
        image.load()
    except Exception as error:
        raise _damaged(name, kind, error) from error
    if several:
        warn(name, "has several frames or pages; only the first was read")
    try:
        colour, alpha = colour_and_alpha(image, pixels, name)
    except PictureWarning:  # where warnings are errors
        raise
    except Exception as error:
        raise _damaged(name, kind, error) from error
    turn = orientation(image.info.get("exif"))
    rgb = array.to_rgb(upright(colour, turn))
    return Picture(rgb, None if alpha is None else upright(alpha, turn).copy(), name)


def _damaged(name: str, kind: str, error: Exception) -> InputError:
    if isinstance(error, MemoryError):
        return InputError(f"{name}: there is not enough memory to decode it; make it smaller or free some memory")
    cause = one_line(error)
    return InputError(f"{name}: the {kind} data is damaged, cut short or unusual ({cause}); export or fetch it again")
