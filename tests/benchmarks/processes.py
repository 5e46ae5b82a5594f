"""What a user's shell sees: the memory of `wct stylize` and the time until `wct --help` has answered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from speed import picture

from wct import Picture

# A forked process counts its parent's memory as its own peak: start what is measured from a small process.
LAUNCHER = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
if done.returncode:
    sys.exit(done.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in one unit of ru_maxrss."""


def command() -> list[str]:
    """How to start wct: the installed script of this Python, else the same call without it."""
    script = shutil.which("wct", path=os.path.dirname(sys.executable))
    return [script] if script else [sys.executable, "-c", "import sys; from wct.cli import main; sys.exit(main())"]


def peak(arguments: Sequence[str]) -> float:
    """Peak resident memory of a fresh process in MB (10^6 bytes); exits with its message where it fails."""
    launch = [sys.executable, "-c", LAUNCHER, *arguments]
    done = subprocess.run(launch, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)} failed: {done.stderr.strip()}")
    return round(int(done.stdout) * UNIT / 1e6, 1)


def memory(model: str | Path, size: int, repeats: int) -> dict[str, Any]:
    """Peak memory of `wct stylize` on pictures of size x size, and of the imports it cannot do without."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("content.png", "style.png", "out.png")]
        for seed, path in enumerate(paths[:2]):
            Picture(picture(size, seed)).save(path)
        stylize = [*command(), "stylize", *paths[:2], "-o", paths[2], "--model", str(model), "--device", "cpu"]
        runs = {
            "python alone": [sys.executable, "-c", "pass"],
            "import torch": [sys.executable, "-c", "import torch"],
            "import torch and wct's engine": [sys.executable, "-c", "import wct.stylizer"],
            f"wct stylize, {size}x{size}": stylize,
        }
        rows: list[dict[str, Any]] = []
        for what, arguments in runs.items():
            peaks = []
            for _ in range(repeats):
                Path(paths[2]).unlink(missing_ok=True)
                peaks.append(peak(arguments))
            rows.append({"what": what, "median_mb": round(median(peaks), 1), "max_mb": max(peaks)})
    for row in rows:
        row["share_of_stylize"] = round(row["median_mb"] / rows[-1]["median_mb"], 3)
    return {"n": repeats, "rows": rows}


def startup(repeats: int) -> dict[str, Any]:
    """Seconds from start to end of `wct --help` and `wct --version`, after one run to warm the file cache."""
    rows = []
    for option in ("--help", "--version"):
        times = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            done = subprocess.run([*command(), option], capture_output=True, text=True)
            times.append(time.perf_counter() - start)
            if done.returncode:
                sys.exit(f"wct {option} failed: {done.stderr.strip()}")
        rows.append(
            {
                "what": f"wct {option}",
                "median_s": round(median(times[1:]), 3),
                "min_s": round(min(times[1:]), 3),
                "max_s": round(max(times[1:]), 3),
            }
        )
    return {"n": repeats, "rows": rows}
