"""How long the command takes to start: the time until `wct --help` and `wct --version` have answered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from statistics import median
from typing import Any


def command() -> list[str]:
    """How to start wct: the installed script of this Python, else the same call without it."""
    script = shutil.which("wct", path=os.path.dirname(sys.executable))
    return [script] if script else [sys.executable, "-c", "import sys; from wct.cli import main; sys.exit(main())"]


def measure(repeats: int) -> dict[str, Any]:
    """Seconds from start to end, after one run to warm the file cache."""
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
