"""What all tests share: no network, hypothesis profiles, and a thread count that does not depend on the machine."""

from __future__ import annotations

import os
import runpy
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

settings.register_profile("local", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

torch.set_num_threads(min(2, torch.get_num_threads()))

# Shells start background jobs with Ctrl-C ignored, which every process below would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

# This process and all that it starts keep to this machine.
OFFLINE, LOG = Path(__file__).parent / "offline", Path(tempfile.mkdtemp()) / "attempts"
os.environ["OFFLINE_LOG"] = str(LOG)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(OFFLINE), os.environ.get("PYTHONPATH"))))
runpy.run_path(str(OFFLINE / "sitecustomize.py"))

METADATA = ("169.254.169.254", "metadata.google.internal")
"""Where a machine asks the cloud that it may be part of; Ray does when it starts, whatever it is told."""

pytest_plugins = ["tiny", "shell"]


@pytest.fixture(scope="session", autouse=True)
def _offline() -> Iterator[None]:
    """Nothing that was tested asked for another machine."""
    yield
    lines = LOG.read_text().splitlines() if LOG.exists() else []
    attempts = [line for line in lines if line.split()[0] not in METADATA]
    assert not attempts, f"there were attempts to reach other machines: {attempts}"
