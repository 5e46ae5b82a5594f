"""Pictures in and out: any file to sRGB pixels in 0..1 and back, with one-line errors and atomic writes.

    picture = read("photo.jpg")             # a Picture: rgb (3, H, W) float32 in 0..1, alpha or None
    picture.save("copy.png")                # never over an existing file unless overwrite=True

Pillow's globals are never touched, and every function here may be called from several threads at once.
The names below load what they need when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wct.lazy import lazy

if TYPE_CHECKING:
    from wct.images.comment import read_comment
    from wct.images.defaults import DEFAULT_MAX_PIXELS, DEFAULT_QUALITY
    from wct.images.folder import list_pictures
    from wct.images.formats import FORMATS
    from wct.images.label import PictureWarning
    from wct.images.metadata import read_exif
    from wct.images.output import check_output, write
    from wct.images.picture import Picture
    from wct.images.reader import Source, read, read_size
    from wct.images.size import fit, resize, resize_alpha

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "DEFAULT_QUALITY",
    "FORMATS",
    "Picture",
    "PictureWarning",
    "Source",
    "check_output",
    "fit",
    "list_pictures",
    "read",
    "read_comment",
    "read_exif",
    "read_size",
    "resize",
    "resize_alpha",
    "write",
]

_HOME = {
    "DEFAULT_MAX_PIXELS": "wct.images.defaults",
    "DEFAULT_QUALITY": "wct.images.defaults",
    "FORMATS": "wct.images.formats",
    "Picture": "wct.images.picture",
    "PictureWarning": "wct.images.label",
    "Source": "wct.images.reader",
    "check_output": "wct.images.output",
    "fit": "wct.images.size",
    "list_pictures": "wct.images.folder",
    "read": "wct.images.reader",
    "read_comment": "wct.images.comment",
    "read_exif": "wct.images.metadata",
    "read_size": "wct.images.reader",
    "resize": "wct.images.size",
    "resize_alpha": "wct.images.size",
    "write": "wct.images.output",
}


__getattr__, __dir__ = lazy(__name__, _HOME, __all__)
