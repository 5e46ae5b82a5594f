"""Pictures to try the engine on: photos that scikit-image carries, and styles painted by the code here."""

from __future__ import annotations

from wct.samples.paintings import PAINTINGS, paint
from wct.samples.photos import PHOTOS, photo

__all__ = ["PAINTINGS", "PHOTOS", "paint", "photo"]
