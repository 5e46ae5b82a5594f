"""`python -m faults`: all verbs, or some, and a table of what came of it."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from narrow import Server, published, write_keras
from rich.console import Console
from rich.table import Table

from faults.run import FAULTS, Report, Stage, load
from faults.verbs import VERBS


def main() -> int:
    parser = argparse.ArgumentParser(description="Verbs that are stopped, and what came of them.")
    parser.add_argument("verbs", nargs="*", help=f"of {', '.join(VERBS)}; all by default")
    parser.add_argument("--n", type=int, default=200, help="faults for each verb")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if unknown := set(arguments.verbs) - set(VERBS):
        parser.error(f"unknown: {', '.join(unknown)}")
    os.environ["OMP_NUM_THREADS"] = "1"
    load()
    began, reports = time.monotonic(), {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wct-faults-")))
        data = write_keras(folder / "published.h5", published()).read_bytes()
        os.environ["PUBLISHED"] = stack.enter_context(Server(data).running()).url
        for name in arguments.verbs or VERBS:
            (folder / name).mkdir()
            stage = Stage(VERBS[name], folder / name)
            reports[name] = [told(name, one) for one in stage.trials(arguments.n, arguments.seed)]
    show(reports)
    bad = sum(bool(one.found) for found in reports.values() for one in found)
    sys.stdout.write(f"{sum(map(len, reports.values()))} faults in {time.monotonic() - began:.0f} s; bad: {bad}\n")
    return int(bool(bad))


def told(name: str, report: Report) -> Report:
    """At once, where it is bad."""
    if report.found:
        sys.stderr.write(f"\n{name}, {report.fault} at {report.moment:.3f}, status {report.status}:\n{report.found}\n")
    return report


def show(reports: dict[str, list[Report]]) -> None:
    table = Table("verb", *FAULTS, "bad", caption="faults (of which met the verb at work)")
    for name, found in reports.items():
        counts = Counter(one.fault for one in found)
        struck = Counter(one.fault for one in found if one.status)
        cells = [f"{counts[fault]} ({struck[fault]})" for fault in FAULTS]
        table.add_row(name, *cells, str(sum(bool(one.found) for one in found)))
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
