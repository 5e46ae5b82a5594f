"""Defaults that the command line shows without loading what reads and writes pictures."""

from __future__ import annotations

__all__ = ["DEFAULT_MAX_PIXELS", "DEFAULT_QUALITY"]

DEFAULT_MAX_PIXELS = 2**30 // 12
"""The pixel budget: 89 478 485 pixels, which as float32 RGB take one GiB."""

DEFAULT_QUALITY = 95
"""Of JPEG, WebP and AVIF, 1 to 100."""
