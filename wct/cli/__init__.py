"""The command line. Verbs load what they need when they run: help and version answer without torch."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """See `wct.cli.shell.main`, which is loaded here: Ctrl-C may come as early as that."""
    try:
        from wct.cli import shell
    except KeyboardInterrupt:
        return 130
    return shell.main(arguments)
