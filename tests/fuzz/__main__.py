"""`python -m fuzz`: the run and its table, or one case of it."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fuzz.cases import nth
from fuzz.ground import Ground
from fuzz.run import Report, each, trials

GROWTH = 48
"""Megabytes by which a run may grow after its first quarter."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutated files, and what came of them.")
    parser.add_argument("--n", type=int, default=5000, help="how many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="one case alone, which is kept and explained")
    arguments = parser.parse_args()
    if arguments.only is not None:
        return explain(arguments.seed, arguments.only)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wct-fuzz-") as folder:
        os.environ["TMPDIR"] = str(temporary := Path(folder, "tmp"))
        temporary.mkdir()
        reports = list(map(told, each(Path(folder), arguments.seed, arguments.n)))
        left = [path.name for path in temporary.iterdir() if not path.name.startswith("pymp-")]
    show(reports)
    settled = reports[len(reports) // 4 :]
    grown = max(one.memory for one in settled[len(settled) // 2 :]) - max(
        one.memory for one in settled[: len(settled) // 2]
    )
    opened = settled[-1].files - settled[0].files
    bad = sum(one.outcome.kind == "other" for one in reports)
    sys.stdout.write(
        f"{arguments.n} cases of seed {arguments.seed} in {time.monotonic() - began:.0f} s, the slowest "
        f"{max(one.outcome.seconds for one in reports):.1f} s; memory grew by {grown:.0f} MB, open files by {opened}; "
        f"left behind: {left or 'nothing'}; bad: {bad}\n"
    )
    return int(bool(bad or left) or grown > GROWTH or opened > 0)


def told(report: Report) -> Report:
    """At once, where it is bad."""
    if report.outcome.kind == "other":
        sys.stderr.write(f"\ncase {report.case}, by {report.way}:\n{report.outcome.words}\n")
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{report.case.number} ")
    return report


def show(reports: list[Report]) -> None:
    counts = Counter((one.case.kind, one.way, one.outcome.kind) for one in reports)
    table = Table("kind", "way", "result", "one line", "anything else")
    for kind, way in sorted({key[:2] for key in counts}):
        table.add_row(kind, way, *(str(counts[kind, way, what]) for what in ("result", "line", "other")))
    Console(width=100).print(table)


def explain(seed: int, number: int) -> int:
    """One case: its outcomes whole, and its file to look into."""
    ground = Ground(Path(tempfile.mkdtemp(prefix="wct-fuzz-")))
    case = nth(ground.whole, seed, number)
    sys.stdout.write(f"{case}\n")
    for way, outcome in trials(ground, case):
        sys.stdout.write(f"{way}: {outcome.kind}, {outcome.seconds:.2f} s: {outcome.words}\n")
    sys.stdout.write(f"kept as {case.placed(ground.folder)}\n")
    return int(outcome.kind == "other")


if __name__ == "__main__":
    sys.exit(main())
