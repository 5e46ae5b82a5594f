"""Photos in the public domain that come with scikit-image."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources

from wct.errors import InputError, MissingExtraError
from wct.images import Picture, read

__all__ = ["PHOTOS", "photo"]

PHOTOS = ("astronaut", "coffee", "chelsea")
"""A portrait (NASA), a cup (R. Michel) and a cat (S. van der Walt)."""


def photo(name: str) -> Picture:
    """The photo `name` of `PHOTOS`, from the installed package: nothing is downloaded.

    Raises MissingExtraError where scikit-image is not installed, InputError where it does not hold the photo.
    """
    try:
        file = resources.files("skimage") / "data" / f"{name}.png"
    except ImportError as error:
        raise MissingExtraError(
            "the sample photos need scikit-image, which is not installed; pip install 'wct[demo]'"
        ) from error
    try:
        picture = read(file.read_bytes(), name=name)
    except OSError as error:
        raise InputError(f"{name}: this scikit-image holds no such photo; install it again") from error
    return replace(picture, name=name)
