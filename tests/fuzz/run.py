"""The run: every case in one process, which is started again where a case ends it."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import torch
from shell import run

from fuzz.cases import Case, nth
from fuzz.ground import Ground
from fuzz.trials import Outcome, argv, tried
from wct.cli import main

__all__ = ["Report", "each", "trials"]

COMMAND, PROCESS = 8, 150
"""One case in so many goes through the command as well, in this process and in one of its own."""


@dataclass(frozen=True)
class Report:
    """What came of a case in one way, and how much memory (MB) and how many open files the process had then."""

    case: Case
    way: str
    outcome: Outcome
    memory: float = 0.0
    files: int = 0


def trials(ground: Ground, case: Case) -> Iterator[tuple[str, Outcome]]:
    """(way, outcome) of a case: always through the library, sometimes through the command."""
    yield "library", tried(ground, case)
    for way, every, how in (("command", COMMAND, _here), ("process", PROCESS, _alone)):
        # No command line can hold a name with a null byte.
        if case.number % every == 0 and case.words != "nul" and argv(ground, case.kind, Path()) is not None:
            yield way, tried(ground, case, partial(_commanded, ground, case.kind, how))


Shell = Callable[[list[str], Path], tuple[int, str, str]]


def _here(arguments: list[str], _: Path) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(arguments)
    return status, out.getvalue(), err.getvalue()


def _alone(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    found = run(*arguments, cwd=folder)
    return found.status, found.out.decode("utf-8", "replace"), found.err


def _commanded(ground: Ground, kind: str, how: Shell, path: Path) -> Outcome:
    """The command's outcome, by what a shell sees of it."""
    status, out, err = how(argv(ground, kind, path) or [], path.parent)
    lines = err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    others = [line for line in lines if not line.startswith(("error: ", "warning: ")) and ": written, " not in line]
    made = [name for name in ("out.png", "out.mp4") if (path.parent / name).is_file()]
    # A film of which some frames are broken is made, and counts as failed.
    good = (status, len(errors), len(made)) in ((0, 0, 1), (1, 1, 0), (2, 1, 0), (1, 0, 1))
    if not good or others or out or "please report it" in err:
        return Outcome("other", f"status {status}, {made}, stdout {out!r}, stderr:\n{err}")
    return Outcome("result" if made else "line", errors[0] if errors else "")


def each(folder: Path, seed: int, n: int) -> Iterator[Report]:
    """The cases 0 to n - 1 of a seed in all ways."""
    first, context = 0, multiprocessing.get_context("spawn")
    while first < n:
        ground = folder / f"ground{first}"
        ground.mkdir()
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(ground, seed, first, n, theirs))
        process.start()
        theirs.close()
        try:
            while (report := ours.recv()) is not None:
                if isinstance(report, Case):
                    begun = report
                else:
                    yield report
            process.join()
            return
        except EOFError:
            process.join()
            yield Report(begun, "library", Outcome("other", f"ended the process with {process.exitcode}"))
            first = begun.number + 1


def _work(folder: Path, seed: int, first: int, n: int, reports: Connection) -> None:
    """All cases from `first` on; what libraries write to stderr on their own is kept, and told."""
    torch.set_num_threads(1)
    ground, said = Ground(folder), 0
    sink = os.open(folder / "stderr", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.dup2(sink, 2)
    for number in range(first, n):
        case = nth(ground.whole, seed, number)
        reports.send(case)
        for way, outcome in trials(ground, case):
            now = os.fstat(sink).st_size
            if now > said:
                outcome = Outcome("other", f"{outcome.words} on stderr: {os.pread(sink, 1000, said)!r}")
            said = now
            memory = psutil.Process().memory_info().rss / 2**20
            reports.send(Report(case, way, outcome, memory, len(os.listdir("/proc/self/fd"))))
    reports.send(None)
