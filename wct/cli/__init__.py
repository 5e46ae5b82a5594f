"""The command line. Verbs load what they need when they run: help and version answer without torch."""

from __future__ import annotations

from wct.cli.shell import main

__all__ = ["main"]
