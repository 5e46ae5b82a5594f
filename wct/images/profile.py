"""ICC profiles: the sRGB tag of every output, and other colour spaces brought to sRGB."""

from __future__ import annotations

import io
from functools import cache

from PIL import Image, ImageCms

from wct.images.label import one_line, warn

__all__ = ["foreign_profile", "lab_to_srgb", "srgb_tag", "to_srgb"]

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}


@cache
def srgb_tag() -> bytes:
    """An sRGB profile, the same bytes every time: the date that a new profile carries is replaced by a fixed one."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = bytes((0x07, 0xCF, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
    return bytes(data)


def foreign_profile(data: object, name: str) -> ImageCms.ImageCmsProfile | None:
    """The embedded profile `data`, or None where there is none, it is sRGB, or it is broken (with a warning)."""
    if not isinstance(data, bytes) or not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        description = ImageCms.getProfileDescription(profile)
    except Exception as error:
        warn(name, f"its colour profile is broken ({one_line(error)}) and was taken as sRGB")
        return None
    return None if description.strip().startswith("sRGB") else profile


def to_srgb(image: Image.Image, profile: ImageCms.ImageCmsProfile, name: str) -> Image.Image | None:
    """`image` (L, RGB, CMYK or LAB) from `profile` to sRGB, mode RGB; None, with a warning, where it does not fit."""
    space = profile.profile.xcolor_space.strip()
    mode = _MODES.get(space)
    try:
        if mode == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if mode != image.mode:
            raise ValueError(f"a {space} profile on {image.mode} pixels")
        return _convert(image, profile)
    except Exception as error:
        warn(name, f"its colour profile does not apply ({one_line(error)}) and was taken as sRGB")
        return None


def lab_to_srgb(image: Image.Image) -> Image.Image:
    """CIE L*a*b* (D50, mode LAB) to sRGB, mode RGB."""
    return _convert(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))


def _convert(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    converted = ImageCms.profileToProfile(image, profile, target, outputMode="RGB")
    assert converted is not None  # None only for a conversion in place
    return converted
