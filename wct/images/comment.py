"""The line of text that a picture file keeps of how it was made."""

from __future__ import annotations

import os
from pathlib import Path

from wct.images.encoder import IMAGE_DESCRIPTION
from wct.images.formats import peek

__all__ = ["read_comment"]


def read_comment(path: str | os.PathLike[str]) -> str | None:
    """The `comment` that `write` put into a picture file; None where there is none, or no picture to look into.

    Pixels are not decoded. What is not ASCII may have been replaced in WebP and AVIF.
    """
    try:
        with Path(path).open("rb") as stream:
            image = peek(stream)
            if image is None:
                return None
            match image.format:
                case "PNG":
                    found = image.info.get("Comment")
                case "JPEG":
                    found = image.info.get("comment")
                case _:
                    found = image.getexif().get(IMAGE_DESCRIPTION)
    except Exception:  # Pillow raises anything on damaged files
        return None
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found and str(found)
