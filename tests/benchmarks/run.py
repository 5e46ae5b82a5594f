"""What `wct bench` does not measure: what other looks cost, start-up time, batches. `make bench` calls both.

    python tests/benchmarks/run.py [--size 512] [--repeats 3] [--pictures 200] [--model compact] [--json]

Everything runs on the CPU with torch's own number of threads (OMP_NUM_THREADS changes it). Run it on a quiet
machine: the load average is part of the report.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import batch
import looks
import startup
import torch
from rich.console import Console
from rich.table import Table

import wct

STARTS = 5


def positive(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text}; needs a whole number of 1 or more")
    return int(text)


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="Looks, start-up time and batches of wct on this machine's CPU.")
    parser.add_argument("--size", type=positive, default=512, help="side of the pictures in pixels [512]")
    parser.add_argument("--repeats", type=positive, default=3, help="measured rounds after the warm-up [3]")
    parser.add_argument("--pictures", type=positive, default=200, help="pictures of the batch [200]")
    parser.add_argument("--model", default="compact", help="a shipped model or a model folder [compact]")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args()


def conditions(model: str, size: int) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "model": model,
        "size": size,
        "wct": wct.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def show(report: dict[str, Any]) -> None:
    """Print the report as tables."""
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in report["conditions"].items()), highlight=False)
    titles = {
        "looks": "Looks: seconds per picture, styles measured before, in turns in one process",
        "startup": "Start-up: seconds from call to exit",
        "batch": "Batch: seconds per picture, of the model alone and of wct batch, and growth of memory in MB",
    }
    for part, title in titles.items():
        table = Table(title=f"{title} (n = {report[part]['n']})", title_justify="left")
        for i, column in enumerate(report[part]["rows"][0]):
            table.add_column(column.replace("_", " "), justify="right" if i else "left")
        for row in report[part]["rows"]:
            table.add_row(*map(str, row.values()))
        console.print(table)


def main() -> None:
    """Measure everything and print it."""
    options = parse()
    folder = Path(options.model)
    model = str(folder.resolve()) if folder.is_dir() else options.model
    try:
        report = {
            "conditions": conditions(options.model, options.size),
            "startup": startup.measure(STARTS),
            "looks": looks.measure(model, options.size, options.repeats),
            "batch": batch.measure(model, options.size, options.pictures),
        }
    except wct.WctError as error:
        sys.exit(str(error))
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)


if __name__ == "__main__":
    main()
