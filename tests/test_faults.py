"""A sample of the faults of `make faults`: what is stopped at any moment leaves old or new, and goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from faults.run import FAULTS
from faults.verbs import VERBS
from shell import LIMIT, environment

EACH = len(FAULTS)


@pytest.mark.skipif(sys.platform != "linux", reason="limits and forks as on Linux")
@pytest.mark.parametrize("verb", VERBS)
def test_whenever_it_is_stopped_it_leaves_old_or_new_and_goes_on(verb: str) -> None:
    command = [sys.executable, "-m", "faults", verb, "--n", str(EACH), "--seed", "1"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, env=environment(), capture_output=True, text=True, timeout=5 * LIMIT
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
    assert f"{EACH} faults in" in done.stdout and "bad: 0" in done.stdout
