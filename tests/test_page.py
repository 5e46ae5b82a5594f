"""The page that stylises in the visitor's browser, in a headless Chromium, and the folder that holds it."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from narrow import Server
from shell import Call

from wct import Stylizer
from wct.errors import InputError
from wct.images import read
from wct.look import LOOK
from wct.page import OWN, runtime, write_page
from wct.samples import paint, photo

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

LIVE = 4.0
"""Seconds up to which the page shows a change at once (page.js)."""


# The folder


def tarball(*names: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()))
    return data.getvalue()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A small tarball in the place of onnxruntime-web's."""
    data = tarball(*runtime.RUNTIME, "ort.all.js")
    monkeypatch.setattr(runtime, "INTEGRITY", base64.b64encode(hashlib.sha512(data).digest()).decode())
    monkeypatch.setattr(runtime, "SIZE", len(data))
    return data


def test_the_folder_holds_all_that_the_page_loads(
    call: Call, published: bytes, tiny_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "ort.tgz").write_bytes(published)
    command = ("export", "page", "site", "--model", tiny_folder, "--runtime", "ort.tgz")
    assert "python -m http.server -d site" in call(*command).err
    site = tmp_path / "site"
    assert {path.name for path in (site / "runtime").iterdir()} == set(runtime.RUNTIME)
    for name in OWN:
        text = (site / name).read_text()
        assert not re.findall(r"https?://(?!www\.w3\.org)", text), f"{name} names another host"
        for file in re.findall(r"""['"](?:\./)?([\w-]+\.(?:js|css|onnx|json|bin))['"]""", text):
            assert (site / file).is_file(), f"{name} loads {file}"
    assert "exists already" in call(*command).refused()
    assert call(*command, "--overwrite").status == 0


def test_the_runtime_comes_from_the_registry_once(
    call: Call, published: bytes, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WCT_HOME", str(tmp_path / "home"))
    with Server(published).running() as server:
        monkeypatch.setenv("npm_config_registry", server.url.rpartition("/")[0])
        command = ("export", "page", "site", "--model", tiny_folder, "--overwrite")
        assert "leave out --offline" in call(*command, "--offline").refused()
        assert not (tmp_path / "site").exists()
        assert call(*command).status == 0
    assert call(*command, "--offline").status == 0
    assert len(server.ranges) == 1


def test_another_tarball_is_refused(published: bytes, tmp_path: Path) -> None:
    for name, data in (("other.tgz", published + b"x"), ("empty.tgz", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=f"{name}: found sha512"):
            runtime.load_runtime(lambda *_: None, tmp_path / name)
    with pytest.raises(InputError, match="found no file"):
        runtime.load_runtime(lambda *_: None, tmp_path / "none.tgz")


# The page, in a browser


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page, with the shipped model, on a plain file server."""
    folder = tmp_path_factory.mktemp("site")
    stylizer = Stylizer(device="cpu")
    try:
        write_page(stylizer.model, folder, offline=True)
    except InputError as error:
        pytest.skip(f"needs what `wct export page` downloads: {error}")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def page(site: str) -> Iterator[Any]:
    """The page as it opens; afterwards, nothing went wrong in it, and it asked its own server only."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    asked: list[str] = []
    wrong: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1200, "height": 900})
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        opened.goto(f"{site}?engine=wasm")
        opened.wait_for_selector("#run:enabled")
        yield opened
        browser.close()
    assert not wrong
    assert [url for url in asked if not url.startswith((site, "blob:", "data:"))] == []


def downloaded(page: Any, path: Path) -> np.ndarray[Any, Any]:
    """The grey levels of the picture that the page gives to keep."""
    page.wait_for_selector("body:not(.busy)", timeout=60_000)
    with page.expect_download() as download:
        page.click("#download")
    assert download.value.suggested_filename == "cup-stylized.png"
    download.value.save_as(path)
    return np.rint(read(path).rgb.numpy() * 255)


def test_a_visitor_stylises_blends_and_keeps_a_picture(page: Any, tmp_path: Path) -> None:
    pictures = {"cup": photo("coffee").resized((131, 160)), "one": paint("strokes", 128), "two": paint("linocut", 101)}
    for name, picture in pictures.items():
        picture.save(tmp_path / f"{name}.png")
    content, *styles = (read(tmp_path / f"{name}.png") for name in pictures)
    engine = Stylizer(device="cpu")

    page.set_input_files("#photo input", tmp_path / "cup.png")
    page.set_input_files("#style1 input", tmp_path / "one.png")
    page.wait_for_selector("#style1 .drop >> text=one.png")
    page.click("#run")
    page.wait_for_selector("#download:visible", timeout=60_000)
    first = downloaded(page, tmp_path / "first.png")
    needed = engine(content, engine.style(styles[0])).rgb.numpy() * 255
    assert np.abs(first - needed).max() < 1.5

    page.focus("#split")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#split") != "0"

    # Both at once: what changes while a picture is made is made next.
    page.set_input_files("#style2 input", tmp_path / "two.png")
    page.wait_for_selector("#blend:visible")
    page.focus("#alpha")
    for _ in range(8):
        page.keyboard.press("ArrowLeft")
    assert page.inner_text("output[for=alpha]") == "60 %"
    page.focus("#grain")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("output[for=grain]") == f"{LOOK.grain + 4:g}"
    page.wait_for_selector("body:not(.busy)", timeout=60_000)
    if float(re.search(r" in ([\d.]+) s ", page.inner_text("#status"))[1]) >= LIVE:  # on a slow machine one has to ask
        page.click("#run")
    second = downloaded(page, tmp_path / "second.png")
    needed = engine(content, engine.style(*styles), alpha=0.6, grain=LOOK.grain + 4).rgb.numpy() * 255
    assert np.abs(second - needed).max() < 1.5


def test_a_broken_file_is_told_in_a_friendly_line(page: Any, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (tmp_path / "notes.txt").write_text("not a picture")
    for name, words in (("holiday.jpg", "holiday.jpg cannot be read"), ("notes.txt", "notes.txt is not a picture")):
        page.set_input_files("#photo input", tmp_path / name)
        page.wait_for_selector(f"#problem:has-text({words!r})")
        assert "\n" not in page.inner_text("#problem")
        page.wait_for_selector("#run:enabled")
    page.click("#photo .examples button >> nth=0")
    page.wait_for_selector("#problem", state="hidden")
