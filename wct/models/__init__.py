"""Models as data: encoders and decoders built from folders of weights and a `model.toml`.

Names load what they need when they are first used, so that `wct.models.spec` is cheap to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wct.lazy import lazy

if TYPE_CHECKING:
    from wct.models.model import Card, Model, find
    from wct.models.shelf import names

__all__ = ["Card", "Model", "find", "names"]

__getattr__, __dir__ = lazy(
    __name__, dict.fromkeys(__all__, "wct.models.model") | {"names": "wct.models.shelf"}, __all__
)
