"""Pictures in and out: any file to sRGB pixels in 0..1 and back, with one-line errors and atomic writes.

    picture = read("photo.jpg")             # a Picture: rgb (3, H, W) float32 in 0..1, alpha or None
    picture.save("copy.png")                # never over an existing file unless overwrite=True

Pillow's globals are never touched, and every function here may be called from several threads at once.
The names below load what they need when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wct.images.defaults import DEFAULT_MAX_PIXELS, DEFAULT_QUALITY
    from wct.images.folder import list_pictures
    from wct.images.formats import FORMATS
    from wct.images.label import PictureWarning
    from wct.images.output import check_output, write
    from wct.images.picture import Picture
    from wct.images.reader import Source, read
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
    "resize",
    "resize_alpha",
    "write",
]

_HOME = {
    "DEFAULT_MAX_PIXELS": "defaults",
    "DEFAULT_QUALITY": "defaults",
    "FORMATS": "formats",
    "Picture": "picture",
    "PictureWarning": "label",
    "Source": "reader",
    "check_output": "output",
    "fit": "size",
    "list_pictures": "folder",
    "read": "reader",
    "resize": "size",
    "resize_alpha": "size",
    "write": "output",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"wct.images.{_HOME[name]}"), name)
    raise AttributeError(f"module 'wct.images' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
