"""The page's server as strangers find it: what they may ask, what they get, and what is left afterwards."""

from __future__ import annotations

import importlib.util
import json
import socket
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hostile import bomb
from pages import Page, open_page
from shell import Call, picture, run

from wct.images import read

pytestmark = pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="the web extra is not installed")

CONTROLS = [1, 1, 1, 1, 0.8, 4, [5, 4, 3, 2, 1], "style", 96]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Iterator[Page]:
    with open_page(tmp_path_factory.mktemp("web"), "--model", tiny_folder, "--max-mb", 1, "--max-mp", 1) as page:
        yield page


def dropped(data: bytes, name: str = "photo.png") -> dict[str, str]:
    """What the browser says of a dropped file."""
    return {"name": name, "data": f"data:image/png;base64,{b64encode(data).decode()}"}


def refused(found: dict[str, Any]) -> str:
    """The one line of an error, in place of any result."""
    assert not found["success"] and set(found["output"]) >= {"error"}
    text = found["output"]["error"]
    assert isinstance(text, str) and "\n" not in text and "Traceback" not in json.dumps(found)
    return text


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/hostname",
        "/gradio_api/file=http://127.0.0.1:{port}/secret",
        "/gradio_api/proxy=http://127.0.0.1:{port}/secret",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/vibe-code/",
        "/gradio_api/call/preview/0",
        "/gradio_api/runs",
        "/gradio_api/deep_link",
        "/monitoring",
        "/static/../../../hash_seed.txt",
        "/assets/%2e%2e/index.html",
        "/result/short",
        "/result/unknown-unknown-unknown-unknown",
        "/docs",
    ],
)
def test_only_what_the_page_needs_is_answered(page: Page, path: str) -> None:
    with listening() as (port, seen):
        status, body, _ = page.request("GET", path.format(port=port))
    assert (status, seen) == (404, [])
    assert body.count(b"\n") == 1


def test_who_closes_the_page_leaves(page: Page, tmp_path: Path) -> None:
    photo = picture(tmp_path / "photo.png", (96, 120)).read_bytes()

    def has_photo(visitor: str) -> bool:
        """Whether a preview shows it: without one there is only a line that asks for it."""
        return "image/jpeg" in json.dumps(page.ask(visitor, "preview", CONTROLS))

    visitors = [f"visitor{number}" for number in range(12)]
    for visitor in visitors:
        assert not has_photo(visitor)
        assert page.ask(visitor, "take_photo", [], dropped(photo))["success"]
        assert has_photo(visitor), "who comes back at once is known"  # `ask` closes the stream each time
    assert not all(has_photo(visitor) for visitor in visitors)


@pytest.mark.parametrize("path", ["upload", "component_server", "run/preview", "call/preview", "cancel", "vibe-edit/"])
def test_nothing_is_taken_but_events(page: Page, path: str) -> None:
    assert page.request("POST", f"/gradio_api/{path}", b"{}", Content_Type="application/json")[0] == 404


class listening:  # noqa: N801
    """A server of this machine that writes down who comes."""

    def __enter__(self) -> tuple[int, list[Any]]:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.seen: list[Any] = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()
        return self.server.getsockname()[1], self.seen

    def accept(self) -> None:
        try:
            while True:
                connection, address = self.server.accept()
                self.seen.append(address)
                connection.close()
        except OSError:
            return

    def __exit__(self, *_: object) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join()


def test_no_path_and_no_address_that_a_request_names_is_opened(page: Page, tmp_path: Path) -> None:
    secret = picture(tmp_path / "secret.png")
    with listening() as (port, seen):
        for named in (str(secret), f"http://127.0.0.1:{port}/secret.png", "/etc/hostname"):
            file = {"path": named, "url": named, "meta": {"_type": "gradio.FileData"}}
            for values, details in (([file, *CONTROLS[1:]], None), (CONTROLS, {"deep": [file]})):
                status, body = page.join("crafted", "preview", values, details)
                assert (status, b"files or addresses" in body) == (400, True)
            for event in ("take_photo", "take_style"):
                answer = page.ask("crafted", event, [], {"name": "x.png", "data": named})
                assert "again" in refused(answer)
            for kind in ("saved", "painting", "photo"):
                assert "choose another" in refused(page.ask("crafted", "pick_style", [], {"kind": kind, "name": named}))
            assert "choose another" in refused(page.ask("crafted", "pick_photo", [], {"kind": "photo", "name": named}))
            assert "name" in refused(page.ask("crafted", "keep", [named, *CONTROLS])) or not page.shelf.exists()
    assert seen == []


@pytest.mark.parametrize("details", [None, 5, [], {}, {"name": 1, "data": 2}, {"name": "x", "data": "data:;base64,!"}])
def test_made_up_events_get_one_line(page: Page, details: Any) -> None:
    for event in ("take_photo", "take_style", "pick_style", "paint", "refuse"):
        assert refused(page.ask("made-up", event, [], details))


def test_requests_under_other_names_and_from_other_pages_are_refused(page: Page) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "[", ""):
        assert page.request("GET", "/", Host=host)[0] in (400, 403)
    assert page.request("GET", "/", Host=f"localhost:{page.port}")[0] == 200
    assert page.request("POST", "/gradio_api/queue/join", b"{}", Origin="https://evil.example")[0] == 403
    status, _, headers = page.request("GET", "/")
    assert status == 200 and "default-src 'self'" in headers["content-security-policy"]


def test_bad_files_get_one_line_and_what_was_there_stays(page: Page, tmp_path: Path) -> None:
    good = picture(tmp_path / "good.png", (96, 120)).read_bytes()
    before = page.ask("bad", "take_photo", [], dropped(good))
    assert before["success"]
    for data, words in ((b"hello", "is a text file"), (b"", "empty"), (bomb("PNG", 60000, 60000), "60000")):
        assert words in refused(page.ask("bad", "take_photo", [], dropped(data, "../up.jpg")))
    assert "has 1.0 MB" in refused(page.ask("bad", "take_style", [], dropped(bytes(2**20 + 1))))
    assert page.join("bad", "take_photo", [], dropped(bytes(3 * 2**19)))[0] == 413
    assert "no style" in refused(page.ask("bad", "keep", ["Mine", *CONTROLS]))
    assert page.ask("bad", "preview", CONTROLS)["success"]
    assert not page.shelf.exists()


def test_two_visitors_at_once_get_what_each_alone_would_get(page: Page, tmp_path: Path) -> None:
    def visit(name: str, seed: int) -> tuple[bytes, str]:
        photo = picture(tmp_path / f"{name}.png", (96, 120), seed=seed).read_bytes()
        style = picture(tmp_path / f"{name}-style.png", (64, 64), seed=seed + 5).read_bytes()
        assert page.ask(name, "take_photo", [], dropped(photo))["success"]
        assert page.ask(name, "take_style", [], dropped(style, "style.png"))["success"]
        shown = page.ask(name, "preview", CONTROLS)["output"]["data"][0]
        link = page.ask(name, "full", CONTROLS)["output"]["data"]
        token = json.dumps(link).split("result/")[1].split('\\"')[0]
        status, png, headers = page.request("GET", f"/result/{token}")
        assert status == 200 and headers["content-disposition"] == 'attachment; filename="photo-stylized.png"'
        return png, json.dumps(shown)

    alone = [visit("first", 1), visit("second", 2)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(visit, ("third", "fourth"), (1, 2)))
    assert together == alone
    assert alone[0] != alone[1] and read(alone[0][0]).size == (96, 120)


def test_a_page_that_cannot_be_made_ready_ends_with_one_line(tmp_path: Path) -> None:
    found = run("web", "--port", 0, "--model", "none", cwd=tmp_path)
    assert found.status == 2 and found.err.splitlines()[-1].startswith("error: ") and "'none'" in found.err
    assert len(found.err.splitlines()) <= 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "--port" in run("web", "--port", port, cwd=tmp_path).refused()


def test_without_its_extra_it_is_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "wct[web]" in call("web").refused()
