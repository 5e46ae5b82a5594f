"""What all tests share: hypothesis profiles and a thread count that does not depend on the machine."""

from __future__ import annotations

import os
import signal

import torch
from hypothesis import settings

settings.register_profile("local", deadline=None, max_examples=60)
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

torch.set_num_threads(min(2, torch.get_num_threads()))

# Shells start background jobs with Ctrl-C ignored, which every process below would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tiny", "shell"]
