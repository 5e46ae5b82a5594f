"""pyvips: reading and writing pictures strip by strip, by way of fields in files. The extra `large`."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wct.errors import InputError, MissingExtraError
from wct.images.formats import HEAD_BYTES, sniff
from wct.images.label import label, one_line, warn
from wct.images.png16 import SIGNATURE, chunk, header
from wct.images.profile import foreign_profile, srgb_tag
from wct.store import Filed
from wct.windows import Window

__all__ = ["FORMATS", "cause", "have_vips", "opened", "vips", "write"]

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")
"""What is read and written strip by strip."""

ROWS = 64
"""Rows that are handed over at once."""


def vips() -> Any:
    """The package pyvips; MissingExtraError where it is not installed."""
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise MissingExtraError(
            "pictures larger than memory need pyvips, which is not installed; pip install 'wct[large]'"
        ) from error
    return pyvips


def have_vips() -> bool:
    """Whether the extra is there."""
    try:
        vips()
    except MissingExtraError:
        return False
    return True


def opened(path: str | os.PathLike[str], name: str) -> Any:
    """The picture, not read yet, as grey or RGB with or without alpha in sRGB."""
    pyvips = vips()
    try:
        with Path(path).open("rb") as stream:
            kind = sniff(stream.read(HEAD_BYTES))
    except OSError as error:
        raise InputError(f"{name}: cannot be opened ({one_line(error)}); check name and permissions") from error
    if kind not in FORMATS:
        raise InputError(f"{name}: in windows {', '.join(FORMATS)} are read; convert it to one of these")
    try:
        image = pyvips.Image.new_from_file(os.fspath(path), access="sequential", fail_on="truncated")
        if image.get_typeof("orientation") and image.get("orientation") > 1:
            # Not from top to bottom any more: by way of one more temporary file.
            image = pyvips.Image.new_from_file(os.fspath(path), access="random", fail_on="truncated").autorot()
        return _as_srgb(image, name)
    except pyvips.Error as error:
        raise InputError(f"{name}: is damaged, cut short or unusual ({cause(error)}); export it again") from error


def _as_srgb(image: Any, name: str) -> Any:
    if image.format not in ("uchar", "ushort") or image.interpretation not in ("srgb", "b-w", "rgb16", "grey16"):
        found = f"{image.interpretation} of {image.format}"
        raise InputError(f"{name}: is {found}; in windows RGB or grey of 8 or 16 bits are read; convert it first")
    if image.get_typeof("n-pages") and image.get("n-pages") > 1:
        warn(name, "has several frames or pages; only the first was read")
    alpha = image[image.bands - 1] if image.hasalpha() else None
    colour = image if alpha is None else image[: image.bands - 1]
    profile = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
    if profile is not None and foreign_profile(bytes(profile), name) is not None:
        depth = 16 if image.format == "ushort" else 8
        colour = colour.icc_transform("srgb", embedded=True, intent="perceptual", depth=depth)
    if colour.bands == 1:
        colour = colour.bandjoin([colour, colour])
    return colour if alpha is None else colour.bandjoin(alpha)


def write(store: Filed, kind: str, path: Path, quality: int, comment: str) -> None:
    """Write a field of pixels in a file as a picture of a format; raises `vips().Error`."""
    image = vips().Image.new_from_source(_source(store), "", access="sequential").copy()
    text = vips().GValue.gstr_type
    image.set_type(vips().GValue.blob_type, "icc-profile-data", srgb_tag())
    match kind:
        case "JPEG":
            image.set_type(text, "exif-ifd0-ImageDescription", comment)
            image.jpegsave(os.fspath(path), Q=quality, subsample_mode="off", background=[255])
        case "PNG":
            image.set_type(text, "png-comment-0-Comment", comment)
            image.pngsave(os.fspath(path))
        case "TIFF":
            image.set_type(text, "image-description", comment)
            large = image.width * image.height * image.bands > 2**31
            image.tiffsave(os.fspath(path), compression="deflate", predictor="horizontal", tile=True, bigtiff=large)
        case "WEBP":
            image.set_type(text, "exif-ifd0-ImageDescription", comment)
            image.webpsave(os.fspath(path), Q=quality, lossless=quality == 100, exact=quality == 100)


def _source(store: Filed) -> Any:
    """A field's file as pyvips reads it: an uncompressed PNG, made on the way."""
    parts, rest = _spooled(store), b""

    def read(size: int) -> bytes:
        nonlocal rest
        while len(rest) < size and (part := next(parts, b"")):
            rest += part
        found, rest = rest[:size], rest[size:]
        return found

    source = vips().SourceCustom()
    source.on_read(read)
    return source


def _spooled(store: Filed) -> Iterator[bytes]:
    yield SIGNATURE + header(store.size, store.channels, 8 * store.dtype.itemsize)
    squeeze = zlib.compressobj(0)
    height, width = store.size
    for top in range(0, height, ROWS):
        rows = store.numbers(Window(top, 0, min(height, top + ROWS), width))
        rows = rows.astype(rows.dtype.newbyteorder(">")).view(np.uint8).reshape(len(rows), -1)
        yield chunk(b"IDAT", squeeze.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes()))
    yield chunk(b"IDAT", squeeze.flush())
    yield chunk(b"IEND", b"")


def cause(error: Exception) -> str:
    """The last line of what pyvips says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return label(lines[-1]) if lines else "no reason given"
