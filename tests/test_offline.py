"""That the tests would notice: in this process and in those it starts, nothing reaches another machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from shell import environment

OUTSIDE = "192.0.2.1"
"""Nobody's (RFC 5737)."""
TRY = f"import socket; socket.create_connection(({OUTSIDE!r}, 80), 1)"


def test_connections_are_refused_and_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "attempts"
    monkeypatch.setenv("OFFLINE_LOG", str(log))
    for reach in (lambda: socket.create_connection((OUTSIDE, 80), 1), lambda: socket.getaddrinfo("example.org", 80)):
        with pytest.raises(OSError, match="no network"):
            reach()
    found = subprocess.run([sys.executable, "-c", TRY], env=environment(), capture_output=True, text=True, check=False)
    assert found.returncode == 1 and "no network" in found.stderr
    assert [line.split()[0] for line in log.read_text().splitlines()] == [OUTSIDE, "example.org", OUTSIDE]


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), 5).close()
    assert "OFFLINE_LOG" in os.environ
