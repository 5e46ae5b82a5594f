"""Running the command line: as a process of its own, or in this one where torch is loaded already."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import wct
from wct.cli import main

LIMIT = 120
"""Seconds after which a process counts as stuck."""


@dataclass(frozen=True)
class Result:
    status: int
    out: bytes
    err: str

    def refused(self, status: int = 2) -> str:
        """The one line of an error, without a traceback and with nothing on stdout."""
        lines = self.err.splitlines()
        assert (self.status, len(lines), self.out) == (status, 1, b""), self
        assert lines[0].startswith("error: ")
        return lines[0]


def environment() -> dict[str, str]:
    """That of this process, with this wct first, one thread, and no weights but what a test puts there."""
    root = str(Path(wct.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "WCT_HOME": os.devnull}


def start(
    *arguments: object, cwd: Path, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    """`wct` as a process that is still running."""
    command = [sys.executable, "-m", "wct", *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, env=environment(), stdin=subprocess.PIPE, stdout=stdout, stderr=stderr)


def run(*arguments: object, cwd: Path, stdin: bytes = b"") -> Result:
    """`wct` as a process of its own, to its end."""
    process = start(*arguments, cwd=cwd)
    out, err = process.communicate(stdin, timeout=LIMIT)
    return Result(process.returncode, out, err.decode())


Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    """`wct` in this process, in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WCT_HOME", os.devnull)

    def call(*arguments: object) -> Result:
        status = main([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        return Result(status, captured.out, captured.err.decode())

    return call


def picture(path: Path, size: tuple[int, int] = (37, 53), mode: str = "RGB", seed: int = 0) -> Path:
    """Write a picture of smooth noise of height and width `size`, and return its path."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, len(Image.new(mode, (1, 1)).getbands())), np.uint8)
    Image.fromarray(noise.squeeze(), mode).resize(size[::-1], Image.Resampling.BICUBIC).save(path)
    return path
