"""How memory is handed out, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

from shell import environment

HOLES = """
import psutil, torch, wct.heap
wct.heap.settle()
held = lambda: psutil.Process().memory_info().rss / 2**20
blocks = [torch.ones(2**18) for _ in range(128)]
del blocks[:-1:2]
before = held()
wct.heap.make_room(2**20)
print(before - held())
wct.heap.make_room(2**30)
print(before - held())
"""

SERIES = """
import psutil, torch, wct.heap
wct.heap.settle()
held = lambda: psutil.Process().memory_info().rss / 2**20
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


def test_holes_between_blocks_are_given_back_before_something_large() -> None:
    done = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, env=environment(), check=True)
    little, much = map(float, done.stdout.split())
    assert abs(little) < 8 and much > 48, "MB of 64 that are free"


def test_batches_and_films_keep_what_the_next_picture_needs_but_nothing_huge() -> None:
    done = subprocess.run([sys.executable, "-c", SERIES], capture_output=True, env=environment(), check=True)
    alone, kept, huge = map(float, done.stdout.split())
    assert abs(alone) < 8 and kept > 40 and abs(huge) < 8, "MB of 48, 48 and 128"
