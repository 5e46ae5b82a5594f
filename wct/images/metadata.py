"""What a camera writes beside the pixels, for results that shall keep it."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import ExifTags, Image

from wct.images.formats import peek
from wct.images.label import label, warn

__all__ = ["read_exif", "restore_letters"]


def read_exif(path: str | os.PathLike[str]) -> bytes | None:
    """The EXIF block of a picture file: time, place, camera. None where there is none that can be read.

    Without the orientation, for results are upright, without the thumbnail, which shows the original, and without
    what was said of the colours. A block that is damaged is left out with a `PictureWarning`.
    """
    try:
        with Path(path).open("rb") as stream:
            image = peek(stream)
            if image is None:
                return None
            found = image.getexif()
            for tag in (ExifTags.Base.Orientation, ExifTags.Base.ImageDescription, ExifTags.Base.InterColorProfile):
                found.pop(tag, None)
            inner = found.get_ifd(ExifTags.IFD.Exif)
            for inside in (ExifTags.Base.ColorSpace, ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight):
                inner.pop(inside, None)
            # Only what EXIF defines: in a TIFF the same directory describes how the pixels are stored.
            kept = {tag: value for tag, value in found.items() if tag in _KEPT}
            for held in list(found):
                del found[held]
            found.update(kept)
            restore_letters(found)
            return found.tobytes() if kept else None
    except Exception as error:
        warn(label(path), f"has metadata that cannot be read ({type(error).__name__}); they are left out")
        return None


def restore_letters(block: Image.Exif) -> None:
    """Put texts back, in place, as the bytes that they were read from.

    Pillow reads text as Latin-1 and writes ASCII with question marks; bytes it writes as they are.
    """
    block.update({tag: value.encode("latin-1", "replace") for tag, value in block.items() if isinstance(value, str)})


_KEPT = {
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.IFD.Exif,
    ExifTags.IFD.GPSInfo,
}
