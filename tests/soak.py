"""Long runs: memory and open files stay level, and no picture is ever another's.

    python tests/soak.py [--count 1000] [--size 192] [--model compact] [--visitors 4] [--page-count 1000]

First stylisations one after the other in this process, then visitors of a page who all ask at once. Every result has
to be, byte by byte, the one that was made alone. Memory is compared between the first and the last quarter of what
follows the first two fifths of the runs: a page's settles before (1,114 to 1,430 MB in 350 visits, then level until
1,000). Exit status 1 where a picture was wrong or open files grew.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from statistics import median

import psutil
from pages import Page, Visitor, open_page
from rich.console import Console
from rich.table import Table

from wct import Picture, Stylizer
from wct.images import read
from wct.samples import PAINTINGS, PHOTOS, paint, photo


@dataclass
class Watch:
    """What is measured of a process: seconds of each run, memory in MB and open files after it, and wrong pictures."""

    process: psutil.Process
    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    wrong: int = 0

    def run(self, work: Callable[[], bytes], wanted: bytes) -> None:
        start = time.perf_counter()
        found = work()
        self.seconds.append(time.perf_counter() - start)
        self.memory.append(self.process.memory_info().rss / 1e6)
        self.files.append(self.process.num_fds())
        self.wrong += found != wanted

    def row(self, name: str) -> list[str]:
        warm = len(self.memory) * 2 // 5
        quarter = max(1, (len(self.memory) - warm) // 4)
        drift = median(self.memory[-quarter:]) - median(self.memory[warm : warm + quarter])
        ordered = sorted(self.seconds)
        percentiles = (ordered[min(len(ordered) - 1, int(p * len(ordered)))] for p in (0.5, 0.9, 0.99))
        files = f"{max(self.files[warm : warm + quarter])} to {max(self.files[-quarter:])}"
        numbers = (len(ordered), self.wrong, f"{drift:+.0f} MB", files, *(f"{s:.2f}" for s in percentiles))
        return [name, *map(str, numbers)]

    @property
    def grew(self) -> bool:
        """Whether more files are open at the end than at any time of the first half."""
        half = len(self.files) // 2
        return min(self.files[half:]) > max(self.files[:half])


def pairs(size: int) -> list[tuple[Picture, Picture]]:
    """Every sample photo with every sample painting, photos in three sizes."""
    sizes = count()
    return [
        (photo(one).resized(size + 16 * (next(sizes) % 3)), paint(other).resized(size))
        for one in PHOTOS
        for other in PAINTINGS
    ]


def in_process(model: str, size: int, runs: int) -> Watch:
    """Stylisations one after the other, each to the bytes of a PNG."""
    stylizer, work = Stylizer(model, device="cpu"), pairs(size)

    def made(pair: tuple[Picture, Picture]) -> bytes:
        return sha256(stylizer(*pair).png()).digest()

    watch, wanted = Watch(psutil.Process()), [made(pair) for pair in work]
    for i in range(runs):
        watch.run(lambda i=i: made(work[i % len(work)]), wanted[i % len(work)])  # type: ignore[misc]
    return watch


def visit(page: Page, name: str, pair: tuple[Picture, Picture]) -> bytes:
    """What a visitor downloads: drop a photo and a style, look at the preview, make the full picture."""
    visitor = Visitor(page, name)
    try:
        for event, picture in zip(("take_photo", "take_style"), pair, strict=True):
            dropped = {"name": "picture.png", "data": f"data:image/png;base64,{b64encode(picture.png()).decode()}"}
            assert visitor.ask(event, [], dropped)["success"]
        controls = [1, 1, 1, 1, 1.0, 0, [5, 4, 3, 2, 1], "style", min(pair[0].size)]
        assert visitor.ask("preview", controls)["success"]
        link = json.dumps(visitor.ask("full", controls)["output"]["data"])
        assert "result/" in link, link
        status, data, _ = page.request("GET", f"/result/{link.split('result/')[1].split(chr(92))[0]}")
    finally:
        visitor.leave()
    assert status == 200
    return sha256(read(data).rgb.numpy().tobytes()).digest()


def on_the_page(model: str, size: int, runs: int, visitors: int) -> Watch:
    """Visits, `visitors` at once; each takes a name of its own, so that older ones are forgotten."""
    work, names = pairs(size), count()
    with tempfile.TemporaryDirectory() as folder, open_page(Path(folder), "--model", model) as page:
        server = next(child for child in psutil.Process().children() if "web" in child.cmdline())
        watch = Watch(server)
        wanted = [visit(page, f"alone-{i}", pair) for i, pair in enumerate(work)]

        def one(i: int) -> None:
            watch.run(lambda: visit(page, f"visitor-{next(names)}", work[i % len(work)]), wanted[i % len(work)])

        with ThreadPoolExecutor(visitors) as pool:
            list(pool.map(one, range(runs)))
    return watch


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    for name, default in (("count", 1000), ("size", 192), ("visitors", 4), ("page-count", 1000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--model", default="compact")
    options = parser.parse_args(arguments)
    watches = {"in one process": in_process(options.model, options.size, options.count)}
    name = f"page, {options.visitors} visitors at once"
    watches[name] = on_the_page(options.model, options.size, options.page_count, options.visitors)
    table = Table("", "runs", "wrong", "memory", "open files", "median s", "90 %", "99 %")
    for name, watch in watches.items():
        table.add_row(*watch.row(name))
    Console().print(table)
    return int(any(watch.wrong or watch.grew for watch in watches.values()))


if __name__ == "__main__":
    sys.exit(main())
