"""`wct web` as a process that can reach nothing but this machine, and what is asked of it without a browser."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from shell import LIMIT, environment

GUARD = """
import os, socket

def guarded(call, host):
    def instead(*values, **more):
        name = host(*values)
        if name is not None and str(name) not in ("127.0.0.1", "::1", "localhost", "0.0.0.0", ""):
            with open(os.environ["WCT_REACHED"], "a") as file:
                file.write(f"{name}\\n")
            raise OSError("no network here")
        return call(*values, **more)
    return instead

def inet(sock, address, *_):
    return address[0] if sock.family in (socket.AF_INET, socket.AF_INET6) else None

socket.socket.connect = guarded(socket.socket.connect, inet)
socket.socket.connect_ex = guarded(socket.socket.connect_ex, inet)
socket.getaddrinfo = guarded(socket.getaddrinfo, lambda host, *_: host and getattr(host, "decode", lambda: host)())
"""
"""A sitecustomize by which a process writes down which other machines it tried to reach."""


@dataclass(frozen=True)
class Page:
    """A page that is open.

    Attributes:
        port: on 127.0.0.1.
        temporary: where its process puts temporary files.
        shelf: where its saved styles lie.
        reached: a file with the names of machines that it tried to reach, if any.
    """

    port: int
    temporary: Path
    shelf: Path
    reached: Path

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read(), {name.lower(): text for name, text in answer.getheaders()}
        finally:
            connection.close()

    def join(self, visitor: str, event: str, values: list[Any], details: Any = None) -> tuple[int, bytes]:
        """Ask for an event of the page, by its name."""
        known = json.loads(self.request("GET", "/config")[1])["dependencies"]
        number = next(one["id"] for one in known if one["api_name"] == event)
        body = {"data": values, "event_data": details, "fn_index": number, "session_hash": visitor}
        path, data = "/gradio_api/queue/join", json.dumps(body).encode()
        return self.request("POST", path, data, Content_Type="application/json")[:2]

    def ask(self, visitor: str, event: str, values: list[Any], details: Any = None) -> dict[str, Any]:
        """What an event of the page comes to, for a visitor who leaves with the answer."""
        one = Visitor(self, visitor)
        try:
            return one.ask(event, values, details)
        finally:
            one.leave()


class Visitor:
    """Someone with the page open: one stream for the answers to all events, until `leave`."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.name = page, name
        self._connection: HTTPConnection | None = None
        self._lines: Iterator[bytes] = iter(())

    def ask(self, event: str, values: list[Any], details: Any = None) -> dict[str, Any]:
        """What an event of the page comes to."""
        status, body = self.page.join(self.name, event, values, details)
        assert status == 200, body[:200]
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self.page.port, timeout=LIMIT)
            self._connection.request("GET", f"/gradio_api/queue/data?session_hash={self.name}")
            self._lines = iter(self._connection.getresponse())
        for line in self._lines:
            if line.startswith(b"data:"):
                found: dict[str, Any] = json.loads(line[5:])
                if found["msg"] == "process_completed" and found["event_id"] == json.loads(body)["event_id"]:
                    return found
        raise AssertionError(f"no answer to {event}")

    def leave(self) -> None:
        if self._connection is not None:
            self._connection.close()


@contextmanager
def open_page(folder: Path, *options: object) -> Iterator[Page]:
    """`wct web` until the end of the block, with its folders in `folder`."""
    page = Page(0, folder / "tmp", folder / "shelf", folder / "reached")
    page.temporary.mkdir()
    (folder / "guard").mkdir()
    (folder / "guard" / "sitecustomize.py").write_text(GUARD)
    found = environment()
    found |= {"PYTHONPATH": f"{folder / 'guard'}:{found['PYTHONPATH']}", "TMPDIR": str(page.temporary)}
    found |= {"WCT_REACHED": str(page.reached), "no_proxy": "*"}
    command = [sys.executable, "-m", "wct", "web", "--port", 0, "--styles", page.shelf, *options]
    process = subprocess.Popen(
        [*map(str, command)], cwd=folder, env=found, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline().decode()
        address = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/ is ready; Ctrl-C ends it\n", line)
        assert address, line + process.stderr.read().decode()
        yield Page(int(address[1]), page.temporary, page.shelf, page.reached)
        process.terminate()
        _, rest = process.communicate(timeout=LIMIT)
        assert (process.returncode, rest.decode()) == (0, "")
    finally:
        process.kill()
        process.communicate()
    assert list(page.temporary.iterdir()) == []
    assert not page.reached.exists(), page.reached.read_text()
