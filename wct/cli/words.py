"""Verbs that have verbs: `wct style show`, `wct models fetch`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import typer
from typer.core import TyperCommand

__all__ = ["verb_with"]


def verb_with(words: Mapping[str, Callable[..., None]]) -> type[TyperCommand]:
    """The class of a command that is a verb of its own, unless its first argument is one of `words`: then that one."""

    class Verb(TyperCommand):
        def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
            if not args or args[0] not in words:
                return super().make_context(info_name, args, parent, **extra)
            inner = typer.Typer(add_completion=False)
            inner.command()(words[args[0]])
            return typer.main.get_command(inner).make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    return Verb
