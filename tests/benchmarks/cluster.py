"""What workers of a cluster cost: pictures and windows per second of one process, of one worker, and of several.

    python tests/benchmarks/cluster.py [--workers 1 2] [--pictures 64] [--side 3072] [--model compact]

All on this machine, with one thread for each process; start-up is not counted. One worker against one process says what
Ray itself costs, several against one how that grows. Run it on a quiet machine with as many processors as workers.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import torch
from ray.cluster_utils import Cluster as Machines
from rich.console import Console
from rich.table import Table

from wct import Stylizer
from wct.batch import batch
from wct.distributed import Cluster
from wct.engine import Engine, Local
from wct.jobs import jobs_of
from wct.models import Model
from wct.samples import PAINTINGS, paint, photo

SMALL = 512
"""Side of the pictures of the batch."""


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[Engine]:
    """An engine of so many workers on this machine; of none: this process."""
    if workers == 0:
        yield Local()
        return
    machine = {"num_cpus": workers, "include_dashboard": False}
    machines = Machines(initialize_head=True, head_node_args=machine)
    try:
        with Cluster(machines.address) as engine:
            yield engine
    finally:
        machines.shutdown()


def memory() -> float:
    """MB that the largest worker has for itself."""
    found = [0.0]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name().startswith("ray::"):
                found.append(process.memory_full_info().uss / 1e6)
    return max(found)


def pictures(stylizer: Stylizer, folder: Path, count: int, out: str) -> float:
    """Seconds per picture of a folder."""
    jobs = jobs_of(folder / "photos", folder / out)[:count]
    start = time.perf_counter()
    done = [outcome.status for outcome in batch(stylizer, jobs, [paint(next(iter(PAINTINGS)))])]
    assert done == ["done"] * len(jobs), done
    return (time.perf_counter() - start) / len(jobs)


def windows(stylizer: Stylizer, side: int) -> float:
    """Seconds per megapixel of one picture in windows, once the object store has grown to what it takes."""
    content, style = photo("astronaut").resized((side, side)), stylizer.style(paint(next(iter(PAINTINGS))))
    tile = stylizer.engine.side(stylizer.model, content.size) or 896
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        stylizer(content, style, tile=tile)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / side**2 * 1e6


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers [1 2]")
    parser.add_argument("--pictures", type=int, default=64, help="photos of 512x512 in the batch [64]")
    parser.add_argument("--side", type=int, default=3072, help="side of the picture in windows [3072]")
    parser.add_argument("--model", default="compact")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.model)
    table = Table("who", "s per picture", "s per megapixel", "MB for each worker", title="Many machines")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        for i in range(options.pictures):
            one = photo(("astronaut", "coffee", "chelsea")[i % 3]).resized((SMALL, SMALL))
            one.save(folder / "photos" / f"{i:04}.jpg")
        for workers in (0, *options.workers):
            with cluster(workers) as engine:
                stylizer = Stylizer(model, engine=engine)
                pictures(stylizer, folder, 8 * max(1, workers), f"warm{workers}")
                pace = pictures(stylizer, folder, options.pictures, f"out{workers}")
                wide = windows(stylizer, options.side)
                who = f"{workers} of a cluster" if workers else "this process"
                table.add_row(who, f"{pace:.3f}", f"{wide:.2f}", f"{memory():.0f}" if workers else "")
    Console().print(table)


if __name__ == "__main__":
    main()
