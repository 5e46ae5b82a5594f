"""Names and causes as they appear in messages: always one printable line."""

from __future__ import annotations

import os
import warnings

__all__ = ["PictureWarning", "label", "one_line", "warn"]

_LONGEST_CAUSE = 160


class PictureWarning(UserWarning):
    """A picture was read, but not everything in its file was used (a broken profile, further frames)."""


def label(path: str | os.PathLike[str]) -> str:
    """The path as one printable line: control characters and undecodable bytes are escaped."""
    return _printable(os.fspath(path))


def one_line(error: BaseException) -> str:
    """The cause of an error in one line, with the error's kind where it has no words of its own."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    text = _printable(" ".join(text.split())).rstrip(".") or type(error).__name__
    return text if len(text) <= _LONGEST_CAUSE else text[: _LONGEST_CAUSE - 3] + "..."


def warn(name: str, text: str) -> None:
    """Issue a `PictureWarning` about the named picture."""
    warnings.warn(f"{name}: {text}", PictureWarning, stacklevel=2)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
