"""Pictures as they come from outside, built in code: every mode, odd metadata, damage and lies about size."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Order = Literal["<", ">"]

TILES = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 255], [0, 0, 0], [128, 128, 128]]], np.uint8
).repeat(8, axis=0)[:, [0] * 8 + [1] * 8 + [2] * 8]
"""(16, 24, 3): six flat tiles of 8x8, all different, so that every turn and every channel swap shows."""

ALPHA = np.arange(16 * 24, dtype=np.uint16).reshape(16, 24).astype(np.uint8)
"""(16, 24) of all the values a byte has, zero among them."""


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiles(mode: str = "RGB") -> Image.Image:
    """The tiles in any mode that Pillow converts RGB to, with a palette that has their six colours."""
    image = Image.fromarray(TILES)
    if mode in ("P", "PA"):
        image = image.convert("P", palette=Image.Palette.ADAPTIVE)
    return image.convert(mode)


def grey_ramp(dtype: Any, top: float) -> NDArray[Any]:
    """(16, 24) from 0 to `top`."""
    return np.linspace(0, top, 16 * 24).reshape(16, 24).astype(dtype)


def sixteen_bits(channels: int) -> NDArray[Any]:
    """(5, 7, channels) of random uint16."""
    return np.random.default_rng(channels).integers(0, 65536, (5, 7, channels)).astype(np.uint16)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels: NDArray[Any], *extra: bytes, size: tuple[int, int] | None = None) -> bytes:
    """A PNG of (H, W, 1..4), 8 or 16 bits, with further chunks; `size` (H, W) is a lie for the header."""
    height, width, channels = pixels.shape
    rows = pixels.astype(pixels.dtype.newbyteorder(">"))
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    claimed = size or (height, width)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", claimed[1], claimed[0], 8 * pixels.itemsize, kind, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bomb(kind: str, height: int, width: int) -> bytes:
    """A small file whose header claims (height, width)."""
    if kind == "PNG":
        return png(np.zeros((1, 1, 3), np.uint8), size=(height, width))
    data = bytearray(file_of(tiles(), kind))
    if kind == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif kind == "JPEG":
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    else:
        raise ValueError(kind)
    return bytes(data)


def tiff(pixels: NDArray[Any], *, order: Order = "<", photometric: int | None = None, deflate: bool = False) -> bytes:
    """A TIFF of (H, W) or (H, W, 3 or 4), any integer type, in either byte order."""
    height, width, channels = pixels.shape if pixels.ndim == 3 else (*pixels.shape, 1)
    body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    body = zlib.compress(body) if deflate else body
    if photometric is None:
        photometric = 1 if channels == 1 else 2
    tags: dict[int, list[int]] = {256: [width], 257: [height], 258: [8 * pixels.itemsize] * channels}
    tags |= {259: [8 if deflate else 1], 262: [photometric], 273: [8], 277: [channels], 278: [height], 279: [len(body)]}
    if channels == 4:
        tags[338] = [2]
    end = 8 + len(body)
    extra = b"".join(struct.pack(f"{order}{len(v)}H", *v) for v in tags.values() if len(v) > 1)
    table, at = b"", end
    for tag, values in sorted(tags.items()):
        value = struct.pack(order + "HH", values[0], 0) if len(values) == 1 else struct.pack(order + "I", at)
        at += 2 * len(values) if len(values) > 1 else 0
        table += struct.pack(order + "HHI", tag, 3, len(values)) + value
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, end + len(extra))
    return head + body + extra + struct.pack(order + "H", len(tags)) + table + bytes(4)


def exif(orientation: int, order: str = "<") -> bytes:
    """An EXIF block with this orientation and a GPS position."""
    head = b"II" if order == "<" else b"MM"
    entries = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0) + struct.pack(order + "HHII", 0x8825, 4, 1, 38)
    gps = struct.pack(order + "HHHI", 1, 1, 2, 2) + b"N\0\0\0" + bytes(4)
    block = head + struct.pack(order + "HIH", 42, 8, 2) + entries + bytes(4) + gps
    return b"Exif\0\0" + block


def sideways(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """How a camera stores upright `pixels` under an EXIF orientation (the definition of the standard, spelled out)."""
    stored = {
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: pixels.swapaxes(0, 1)[::-1],
        7: pixels.swapaxes(0, 1)[::-1, ::-1],
        8: pixels.swapaxes(0, 1)[:, ::-1],
    }
    return np.ascontiguousarray(stored[orientation])


def swapped_profile() -> bytes:
    """An RGB profile whose red and green primaries have changed places, so that using it cannot be overlooked."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", data, 128)
    for at in range(132, 132 + 12 * count, 12):
        name = bytes(data[at : at + 4])
        data[at : at + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(name, name)
    # Another description too, for it says what the profile is.
    for old in (b"sRGB", "sRGB".encode("utf-16-be")):
        data = data.replace(old, old.swapcase().replace(b"s", b"x").replace(b"S", b"X"))
    return bytes(data)
