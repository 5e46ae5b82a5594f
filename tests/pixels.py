"""Measuring pictures against pixels, in 8-bit levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wct.images import Picture


def levels(picture: Picture) -> NDArray[Any]:
    """(H, W, 3) in units of 8 bits."""
    return picture.rgb.permute(1, 2, 0).numpy() * 255


def difference(picture: Picture, pixels: NDArray[Any]) -> float:
    """The largest difference in 8-bit levels."""
    wanted = pixels if pixels.ndim == 3 else pixels[..., None]
    assert picture.size == wanted.shape[:2]
    return float(np.abs(levels(picture) - wanted).max())


def same(alpha: NDArray[Any] | None, wanted: NDArray[Any] | None) -> bool:
    """Whether there is alpha, of the type and with the values wanted."""
    return alpha is not None and wanted is not None and alpha.dtype == wanted.dtype and bool((alpha == wanted).all())
