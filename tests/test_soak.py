"""A sample of the long runs of tests/soak.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import soak


def test_many_runs_in_one_process_are_right_and_leave_no_files_open(tiny_folder: Path) -> None:
    watch = soak.in_process(str(tiny_folder), 64, 60)
    assert (len(watch.seconds), watch.wrong, watch.grew) == (60, 0, False)


@pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="the web extra is not installed")
def test_visitors_at_once_get_their_own_pictures(tiny_folder: Path) -> None:
    watch = soak.on_the_page(str(tiny_folder), 64, 24, 4)
    assert (len(watch.seconds), watch.wrong, watch.grew) == (24, 0, False)
