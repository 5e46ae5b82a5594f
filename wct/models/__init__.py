"""Models as data: encoders and decoders built from folders of weights and a `model.toml`.

Names load what they need when they are first used, so that `wct.models.spec` is cheap to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wct.models.model import Card, Model, find, names

__all__ = ["Card", "Model", "find", "names"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("wct.models.model"), name)
    raise AttributeError(f"module 'wct.models' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
