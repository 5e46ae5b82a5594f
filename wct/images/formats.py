"""The file formats: how each is recognised, opened and named. Content decides on input, the extension on output."""

from __future__ import annotations

import ctypes
import logging
from contextlib import suppress
from typing import IO

from PIL import Image, _imaging, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

__all__ = [
    "FORMATS",
    "HEAD_BYTES",
    "OPENERS",
    "READ_EXTENSIONS",
    "WRITE_EXTENSIONS",
    "can_write",
    "describe",
    "peek",
    "sniff",
]

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
"""The formats that can be read, all allowed by default."""

HEAD_BYTES = 256
"""How much of a file `sniff` and `describe` look at."""

READ_EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".avif"}
)

WRITE_EXTENSIONS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".avif": "AVIF",
}


_PHOTOMETRIC, _YCBCR = 262, 6


class _BudgetedTiff(TiffImageFile):
    """Allocates without Pillow's own, global pixel limit: the caller has checked its budget on the header."""

    def load_prepare(self) -> None:
        if self._im is None:
            self.im = Image.new(self.mode, self._tile_size).im
        super().load_prepare()

    def _setup(self) -> None:
        """Pillow below 13, gradio's bound, takes YCbCr without compression for RGB with a fourth byte."""
        super()._setup()
        if self.tag_v2.get(_PHOTOMETRIC) == _YCBCR and all(tile.codec_name == "raw" for tile in self.tile):
            self._mode = "YCbCr"
            self.tile = [tile._replace(args=("YCbCr", 0, 1)) for tile in self.tile]


# What Pillow and libtiff raise, they tell stderr as well, where an error is to be one line.
logging.getLogger("PIL").addHandler(logging.NullHandler())
with suppress(OSError, AttributeError):
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)

# The classes are called directly: `Image.open` warns or raises by a global pixel limit, whatever budget the caller set.
OPENERS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "TIFF": _BudgetedTiff,
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "AVIF": AvifImageFile,
}

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)

_STRANGERS = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "an EPS document"),
    (b"8BPS", "a Photoshop document"),
    (b"gimp xcf", "a GIMP document"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\1\0", "an icon file"),
    (b"v/1\1", "an OpenEXR picture"),
    (b"PK\3\4", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\x7fELF", "a program"),
)

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def sniff(head: bytes) -> str | None:
    """The format (one of `FORMATS`) of a file that begins with `head`, or None."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return "AVIF" if {b"avif", b"avis"} & _brands(head) else None
    return next((name for start, name in _STARTS if head.startswith(start)), None)


def peek(stream: IO[bytes]) -> ImageFile | None:
    """The picture in a stream, opened by what it begins with, its pixels not decoded; None where there is none.

    Raises anything, as Pillow does, where it is damaged.
    """
    kind = sniff(stream.read(HEAD_BYTES))
    stream.seek(0)
    return OPENERS[kind](stream) if kind else None


def describe(head: bytes) -> str:
    """In words, what a file that begins with `head` and is none of `FORMATS` seems to be."""
    if head[4:8] == b"ftyp":
        return "a HEIC picture" if head[8:12] in _HEIC_BRANDS else "a video"
    for start, words in _STRANGERS:
        if head.startswith(start):
            return words
    if head[8:9] == b"{" and not any(head[4:8]):
        return "a safetensors file, as styles and weights are kept in"
    lowered = head.lower()
    if b"<svg" in lowered or lowered.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<?xml"):
        return "an SVG or XML document"
    if b"<html" in lowered or b"<!doctype html" in lowered:
        return "a web page"
    return "of an unknown format" if any(byte < 9 for byte in head) else "a text file"


def can_write(name: str) -> bool:
    """Whether the Pillow at hand has the encoder of this format (AVIF and WebP are optional parts of it)."""
    return name not in ("AVIF", "WEBP") or bool(features.check(name.lower()))


def _brands(head: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO media file's ftyp box."""
    box = head[: int.from_bytes(head[:4], "big")]
    return {box[8:12], *(box[at : at + 4] for at in range(16, len(box), 4))}
