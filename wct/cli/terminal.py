"""Talking to people on stderr, and giving results on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

__all__ = ["Tell", "bar", "note", "show_json", "show_table"]

WIDTH_IN_FILES = 160


class Tell(Protocol):
    """Told after every step of a long job how many of how many (None: nobody knows) are done, and what is going on."""

    def __call__(self, done: float, total: int | None, what: str = "") -> None: ...


def note(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def show_json(value: Any) -> None:
    """A result as JSON on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def show_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], stream: TextIO | None = None
) -> None:
    """A result as a table on `stream`, by default stdout; numbers are right-aligned."""
    from rich.console import Console
    from rich.table import Table

    stream = stream or sys.stdout
    lines = [[_cell(value) for value in row] for row in rows]
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(*line)
    console = Console(width=None if stream.isatty() else WIDTH_IN_FILES, markup=False)
    with console.capture() as shown:  # written by ourselves, for rich ends the process where a pipe is closed
        console.print(table)
    stream.write(shown.get())


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


@contextmanager
def bar(job: str) -> Iterator[Tell]:
    """A progress bar on stderr, gone when the job is done; none where stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    # Not as markup: brackets in file names are brackets.
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with shown:
        task = shown.add_task(job, total=None)

        def tell(done: float, total: int | None, what: str = "") -> None:
            shown.update(task, description=f"{job} {what}".rstrip(), completed=done, total=total)

        yield tell
