"""Pictures larger than memory: seconds per megapixel against one that is stylised in one piece, and peak memory.

    python tests/benchmarks/large.py [--side 8192 ...] [--tile auto] [--model compact]

Every picture is a TIFF of the sample photos, side by side, and is stylised by a fresh process, reading and writing
included. A side of 16384 takes about ten minutes and 30 GB of temporary files on two cores.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyvips
from rich.console import Console
from rich.table import Table

from wct import Region, Stylizer
from wct.cli.options import parse_tile
from wct.images import read
from wct.large import is_large, open_large, stylize_large
from wct.samples import PAINTINGS, paint, photo

UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in one unit of ru_maxrss."""

WHOLE = 1024
"""Side of the picture that is stylised in one piece."""


def write_sheet(side: int, path: Path) -> None:
    """A square picture of sample photos of 512x512."""
    names = ("astronaut", "coffee", "chelsea", "coffee")
    photos = [photo(name).resized((512, 512)).to_pil() for name in names]
    tiles = [pyvips.Image.new_from_array(np.asarray(one)) for one in photos]
    across = -(-side // 1024)
    sheet = pyvips.Image.arrayjoin(tiles, across=2).replicate(across, across).crop(0, 0, side, side)
    sheet.copy(interpretation="srgb").tiffsave(str(path), tile=True, compression="deflate", bigtiff=side > 20000)


def work(source: str, style: str, target: str, tile: str, model: str) -> None:
    """In a process of its own: stylise, and print seconds and peak memory."""
    stylizer = Stylizer(model, device="cpu")
    start = time.perf_counter()
    if is_large(source, stylizer, parse_tile(tile)):
        picture = open_large(source, stylizer.model)
        options = {"overwrite": True, "quality": 95, "bits": 8}
        stylize_large(stylizer, picture, [Region(style)], target, tile=parse_tile(tile), **options)
    else:
        stylizer(read(source), style, tile=parse_tile(tile)).save(target, overwrite=True)
    seconds = time.perf_counter() - start
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT]))


def measure(folder: Path, side: int, tile: str, model: str, repeats: int) -> tuple[float, float]:
    """Median seconds per megapixel, and the largest peak memory in bytes."""
    source = folder / f"{side}.tif"
    write_sheet(side, source)
    call = [
        sys.executable,
        __file__,
        "--work",
        str(source),
        str(folder / "a.style"),
        str(folder / "out.tif"),
        tile,
        model,
    ]
    runs = [json.loads(subprocess.run(call, check=True, capture_output=True).stdout) for _ in range(repeats)]
    source.unlink()
    return sorted(seconds for seconds, _ in runs)[len(runs) // 2] / side**2 * 1e6, max(peak for _, peak in runs)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, nargs="+", default=[8192], help="sides of the large pictures [8192]")
    parser.add_argument("--tile", default="auto", help="side of the windows [auto]")
    parser.add_argument("--model", default="compact")
    parser.add_argument("--work", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(*options.work)
        return
    table = Table("side", "windows", "s per megapixel", "of one piece", "peak MB", title="Large pictures")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Stylizer(options.model).style(paint(next(iter(PAINTINGS)))).save(folder / "a.style")
        whole, peak = measure(folder, WHOLE, "off", options.model, 3)
        table.add_row(str(WHOLE), "one piece", f"{whole:.2f}", "1.00", f"{peak / 1e6:.0f}")
        for side in options.side:
            pace, peak = measure(folder, side, options.tile, options.model, 1)
            table.add_row(str(side), options.tile, f"{pace:.2f}", f"{pace / whole:.2f}", f"{peak / 1e6:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
