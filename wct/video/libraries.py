"""The libraries of the extra `video`, or one line that says how to get them."""

from __future__ import annotations

from wct.errors import MissingExtraError
from wct.images.label import one_line

try:
    import av
    import cv2
except ImportError as error:
    raise MissingExtraError(
        f"wct video needs {error.name}, which is not installed; pip install 'wct[video]'"
    ) from error

__all__ = ["av", "cause", "cv2"]


def cause(error: BaseException) -> str:
    """Why something failed, in one line; PyAV's own texts begin with a number and end with the path."""
    return one_line(OSError(0, error.strerror) if isinstance(error, av.FFmpegError) and error.strerror else error)
