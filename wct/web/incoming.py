"""What comes from the browser, which anyone can make up: to be looked at before it is used."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from wct.errors import UsageError, WctError
from wct.look import Look
from wct.web.settings import Settings

__all__ = ["bytes_of", "file_of", "settings_of", "text_of"]


def settings_of(values: Sequence[Any]) -> Settings:
    """The values of `Layout.settings`; UsageError where a request made them up."""
    try:
        *weights, alpha, grain, levels, color, size = values
        levels = tuple(int(level) for level in levels)
        look = Look(alpha=float(alpha), levels=levels, color=str(color), grain=float(grain))
        return Settings(tuple(float(weight) for weight in weights), look, int(size))
    except WctError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError("a setting is missing or no number; load the page again") from error


def text_of(event: Any, key: str) -> str:
    """A text that came with an event; UsageError where there is none."""
    value = event._data.get(key) if isinstance(event._data, dict) else None
    if not isinstance(value, str):
        raise UsageError(f"{key} is missing from the request; load the page again")
    return value


def file_of(event: Any) -> tuple[bytes, str]:
    """Bytes and name of a dropped file."""
    return bytes_of(text_of(event, "data")), text_of(event, "name")


def bytes_of(url: str) -> bytes:
    """What a data URL holds; UsageError for any other text."""
    head, _, data = url.partition(",")
    try:
        if not head.startswith("data:") or (data and not head.endswith(";base64")):
            raise ValueError
        return b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError("the file did not arrive whole; send it again") from None
