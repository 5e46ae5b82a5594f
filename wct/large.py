"""Pictures larger than memory: files to files, by way of temporary ones. Needs the extra `large` (pyvips)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from wct.canvas import Canvas
from wct.content import Content
from wct.errors import InputError, OutputError, UsageError
from wct.fields import Combined, Field
from wct.files import appearing
from wct.fitting import Tile, fitting, side_for
from wct.images import DEFAULT_MAX_PIXELS, check_output, read_size
from wct.images.array import check_size
from wct.images.formats import WRITE_EXTENSIONS
from wct.images.label import label
from wct.look import LOOK, Look
from wct.models import Model
from wct.progress import Progress
from wct.regions import Region
from wct.sources import mask_of
from wct.store import Filed, check_space, scratch
from wct.stylizer import Stylizer
from wct.vips import FORMATS, cause, have_vips, opened, vips, write
from wct.windows import Size, tiles

__all__ = ["LargePicture", "check_large", "is_large", "open_large", "save_large", "stylize_large"]

LARGE = 2**24
"""Pixels: smaller pictures are read into memory, also where the work on them goes by windows."""

LONGEST_SIDE = {"JPEG": 65535, "WEBP": 16383}
"""Pixels, by format."""

StrPath = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class LargePicture:
    """A picture in a temporary file.

    Attributes:
        content: its pixels, as the loop takes them.
        alpha: (1, 1, H, W) in 0..1, or None for an opaque picture.
    """

    content: Content
    alpha: Field | None

    @property
    def size(self) -> Size:
        """(H, W)."""
        return self.content.size


def is_large(path: StrPath, stylizer: Stylizer, tile: Tile) -> bool:
    """Whether a picture file needs windows that are read from temporary files.

    Without pyvips only where it could not be read in any other way.
    """
    size = None if os.fspath(path) == "-" else read_size(path)
    if size is None or size[0] * size[1] <= LARGE or side_for(stylizer.engine, stylizer.model, size, tile) is None:
        return False
    return size[0] * size[1] > DEFAULT_MAX_PIXELS or have_vips()


def open_large(path: StrPath, model: Model, look: Look = LOOK, *, max_pixels: int | None = None) -> LargePicture:
    """A picture file, upright, in sRGB, decoded into a temporary file.

    Args:
        path: a JPEG, PNG, WebP or TIFF file of grey or RGB with 8 or 16 bits.
        model, look: what it will be stylised with, which says how much room that needs beside.
        max_pixels: the budget, checked on the header; None for as many as the disk holds.

    Raises:
        MissingExtraError: pyvips is not installed.
        InputError: the file is missing, damaged, too large or of another kind.
        OutputError: there is too little room for temporary files.
    """
    name = label(path)
    if size := read_size(path):
        check_size(*size, name, max_pixels)
    image = opened(path, name)
    dtype = np.dtype(np.uint16 if image.format == "ushort" else np.uint8)
    check_space(image.width * image.height * (2 * image.bands * dtype.itemsize + _scratch_bytes(model, look)))
    file = scratch()
    try:
        image.rawsave_target(vips().Target.new_to_descriptor(file.fileno()))
    except vips().Error as error:
        file.close()
        raise InputError(f"{name}: is damaged, cut short or unusual ({cause(error)}); export it again") from error
    whole = Filed(0, (image.height, image.width), image.bands, file, dtype)
    rgb = Combined((whole,), lambda _, x: x[:, :3])
    alpha = Combined((whole,), lambda _, x: x[:, 3:]) if image.bands == 4 else None
    return LargePicture(Content(name, rgb, None if alpha is None else _opaque(alpha)), alpha)


def save_large(
    field: Field,
    alpha: Field | None,
    path: StrPath,
    canvas: Canvas,
    *,
    quality: int,
    bits: int,
    overwrite: bool = False,
    comment: str = "",
) -> None:
    """Compute pixels (1, 3, H, W) in 0..1 window by window and write them, with their alpha, to a TIFF, PNG, JPEG …

    The file appears whole or not at all. JPEG shows transparent pixels on white.

    Raises:
        OutputError: it cannot be written.
    """
    dtype = np.dtype(np.uint16 if bits == 16 else np.uint8)
    both = field if alpha is None else Combined((field, alpha), lambda _, *parts: torch.cat(parts, 1))
    store = Filed(0, field.size, 3 if alpha is None else 4, scratch(), dtype)
    for window, x in canvas.read(both):
        store.write(window, x)
    kind = WRITE_EXTENSIONS[Path(path).suffix.lower()]
    try:
        with appearing(path, overwrite=overwrite) as temporary:
            write(store, kind, temporary, quality, comment)
    except vips().Error as error:
        raise OutputError(f"{label(path)}: cannot be written ({cause(error)}); make room or choose a folder") from error


def stylize_large(
    stylizer: Stylizer,
    picture: LargePicture,
    regions: Sequence[Region],
    path: StrPath,
    *,
    look: Look = LOOK,
    tile: Tile = "auto",
    progress: Callable[[Progress], None] = lambda _: None,
    inputs: Sequence[StrPath] = (),
    **options: Any,
) -> None:
    """A large picture, stylised, into a file: `Stylizer.__call__` where neither picture nor result fit into memory.

    Masks are held in memory, 4 bytes per pixel and region.

    Args:
        stylizer: the model.
        picture: what `open_large` gives.
        regions: styles and where they go.
        path: the file to write; see `save_large` for it and for `options`.
        look, tile, progress: as for a stylisation.
        inputs: files that are never written over.

    Raises:
        As a stylisation, `check_large` and `save_large` do.
    """
    content = picture.content
    checked = {key: value for key, value in options.items() if key != "comment"}
    check_large(path, content.size, inputs=inputs, **checked)
    masks = [None if region.mask is None else mask_of(region.mask, content.size) for region in regions]
    parts = [(region.style, mask) for region, mask in zip(regions, masks, strict=True)]

    def work(canvas: Canvas, tell: Callable[[str], None]) -> None:
        made = stylizer.painted(content, parts, canvas, look, tell)
        save_large(made, picture.alpha, path, canvas, **options)

    fitting(stylizer.engine, stylizer.model, content.size, tile, work, steps=look.steps, progress=progress)


def check_large(path: StrPath, size: Size, **options: Any) -> None:
    """Refuse a destination that cannot work, as `check_output` does, or that cannot hold a picture of `size`."""
    check_output(path, **options)
    kind = WRITE_EXTENSIONS.get(Path(path).suffix.lower(), "PNG")
    if kind not in FORMATS or os.fspath(path) == "-":
        raise UsageError(f"{label(path)}: large pictures are written as TIFF, PNG, JPEG or WebP files; choose another")
    if max(size) > (longest := LONGEST_SIDE.get(kind, 2**31)):
        raise UsageError(f"{label(path)}: {kind} holds at most {longest} pixels a side, found {max(size)}; choose .tif")


def _opaque(alpha: Field, canvas_side: int = 1024) -> Tensor | None:
    """(H, W), 0 for fully transparent pixels and 1 for all others; None where all are alike."""
    opaque = torch.ones(alpha.size, dtype=torch.uint8)
    for window in tiles(alpha.size, canvas_side):
        window.of(opaque).copy_(alpha.read(window)[0, 0] > 0)
    return opaque if bool(opaque.any()) and not bool(opaque.all()) else None


def _scratch_bytes(model: Model, look: Look) -> int:
    """Bytes per pixel of temporary files for what waits between two levels."""
    spec = model.card.spec.encoder
    kept = sorted(4 * spec.channels(level) / 4 ** (level - 1) for level in look.levels if level > 1)
    pixels = 12 * (2 * (look.mode == "cascade" or look.passes > 1) + (look.color == "luminance"))
    return int(sum(kept[-2:]) + pixels)
