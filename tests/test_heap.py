"""How memory is handed out, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

from shell import environment

START = """
import psutil, torch, wct.heap
wct.heap.settle()
held = lambda: psutil.Process().memory_info().rss / 2**20
"""

HOLES = """
blocks = [torch.ones(2**18) for _ in range(128)]
del blocks[:-1:2]
before = held()
wct.heap.make_room(2**20)
print(before - held())
wct.heap.make_room(2**30)
print(before - held())
"""

SERIES = """
def left(count):
    block = torch.ones(count)
    before = held()
    del block
    return 4 * count / 2**20 - (before - held())
print(left(12 * 2**20))
wct.heap.keep(wct.heap.SERIES)
left(12 * 2**20)
print(left(12 * 2**20), left(32 * 2**20))
"""


def printed(script: str) -> list[float]:
    """The numbers that a script prints after START, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", START + script], capture_output=True, env=environment(), check=True)
    return [*map(float, done.stdout.split())]


def test_holes_between_blocks_are_given_back_before_something_large() -> None:
    little, much = printed(HOLES)
    assert abs(little) < 8 and much > 48, "MB of 64 that are free"


def test_batches_and_films_keep_what_the_next_picture_needs_but_nothing_huge() -> None:
    alone, kept, huge = printed(SERIES)
    assert abs(alone) < 8 and kept > 40 and abs(huge) < 8, "MB of 48, 48 and 128"
