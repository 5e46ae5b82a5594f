"""Where models lie: those that are shipped, and weights that are not. Cheap to import, for shells ask for the names."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["home", "names", "shelf"]


def shelf() -> Path:
    """The folder of the shipped models: inside the installed package, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    return package / "decoders" if (package / "decoders").is_dir() else package.parent / "decoders"


def names() -> list[str]:
    """Names of the shipped models."""
    return sorted(path.parent.name for path in shelf().glob("*/model.toml"))


def home() -> Path:
    """Where weights lie that are not shipped: `WCT_HOME`, else the user's folder for caches (~/.cache/wct on Linux)."""
    return Path(os.environ.get("WCT_HOME") or user_cache_path("wct", appauthor=False))
