"""Pictures in and out: any file to sRGB pixels in 0..1 and back, with one-line errors and atomic writes.

    picture = read("photo.jpg")             # a Picture: rgb (3, H, W) float32 in 0..1, alpha or None
    picture.save("copy.png")                # never over an existing file unless overwrite=True

Pillow's globals are never touched, and every function here may be called from several threads at once.
"""

from __future__ import annotations

from wct.images.folder import list_pictures
from wct.images.formats import FORMATS
from wct.images.label import PictureWarning
from wct.images.output import check_output, write
from wct.images.picture import Picture
from wct.images.reader import DEFAULT_MAX_PIXELS, Source, read
from wct.images.size import fit, resize, resize_alpha

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "FORMATS",
    "Picture",
    "PictureWarning",
    "Source",
    "check_output",
    "fit",
    "list_pictures",
    "read",
    "resize",
    "resize_alpha",
    "write",
]
