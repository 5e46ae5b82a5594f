"""The page in a real browser: what a visitor sees from the first photo to the file on their disk."""

from __future__ import annotations

import importlib.util
import shutil
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile import bomb
from pages import Page, open_page
from shell import picture

from wct.images import read
from wct.models import Model
from wct.stylizer import Stylizer

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
    pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="the web extra is not installed"),
]

WAIT = 60_000
"""Milliseconds."""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Iterator[Page]:
    with open_page(tmp_path_factory.mktemp("web"), "--model", tiny_folder, "--max-mb", 1, "--max-mp", 1) as page:
        yield page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as found:
        browser = found.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(page: Page, chromium: Any) -> Iterator[Any]:
    """A tab with the page, from which no other machine is asked for anything and whose scripts run without errors."""
    tab = chromium.new_page(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    tab.set_default_timeout(WAIT)
    asked: list[str] = []
    errors: list[object] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("pageerror", lambda error: errors.append(error))
    tab.goto(f"http://127.0.0.1:{page.port}/")
    tab.wait_for_selector(".picks button[data-name=waves]")
    yield tab
    tab.close()
    assert [url for url in asked if not url.startswith((f"http://127.0.0.1:{page.port}/", "data:", "blob:"))] == []
    assert errors == []


def drop(tab: Any, place: int, path: Path) -> None:
    tab.locator(".drop input").nth(place).set_input_files(path)


def shown(tab: Any) -> list[str]:
    """The pictures before and after."""
    return tab.eval_on_selector_all("#viewer img", "all => all.map(one => one.src)")  # type: ignore[no-any-return]


def changed(tab: Any, work: Callable[[], object]) -> list[str]:
    """The pictures, once `work` has changed them."""
    before, end = shown(tab), time.monotonic() + WAIT / 1000
    work()
    while (after := shown(tab)) == before or len(after) < 2:
        assert time.monotonic() < end, "the preview did not change"
        tab.wait_for_timeout(20)
    return after


def status(tab: Any, words: str) -> None:
    tab.wait_for_selector(f"#status p:has-text('{words}')")


def test_from_a_photo_to_the_file(tab: Any, tmp_path: Path, tiny_model: Model) -> None:
    photo, style = picture(tmp_path / "me.png", (150, 200)), picture(tmp_path / "art.png", (90, 90), seed=1)
    status(tab, "First add a photo")
    assert tab.get_by_role("button", name="Make the full picture").is_disabled()
    before = changed(tab, lambda: drop(tab, 0, photo))
    assert before[0] == before[1]
    status(tab, "add one or more styles")
    one = changed(tab, lambda: drop(tab, 1, style))
    assert one[0] == before[0] != one[1]
    both = changed(tab, lambda: tab.locator(".picks button[data-name=mosaic]").click())
    status(tab, "A small preview")
    weak = changed(tab, lambda: tab.get_by_role("slider", name="Strength").fill("0.5"))
    plain = changed(tab, lambda: tab.get_by_role("slider", name="Plain areas").fill("6"))
    less = changed(tab, lambda: tab.locator(".place input[type=range]").nth(1).fill("0.25"))
    assert len({one[1], both[1], weak[1], plain[1], less[1]}) == 5
    tab.locator(".place button:has-text('Remove')").nth(1).click()
    tab.locator(".place").nth(1).wait_for(state="hidden")
    tab.get_by_role("button", name="Make the full picture").click()
    with tab.expect_download() as download:
        tab.locator("#download a").click()
    status(tab, "Done in")
    assert download.value.suggested_filename == "me-stylized.png"
    download.value.save_as(tmp_path / "result.png")
    stylizer = Stylizer(tiny_model)
    wanted = stylizer(photo, stylizer.style(style), alpha=0.5, grain=6.0)
    found = read(tmp_path / "result.png")
    assert found.size == wanted.size == (150, 200)
    assert float((found.rgb - wanted.rgb).abs().max()) <= 1 / 255


def test_what_is_painted_is_stylised_and_the_rest_stays(tab: Any, tmp_path: Path) -> None:
    changed(tab, lambda: drop(tab, 0, picture(tmp_path / "me.png", (150, 200))))
    everywhere = changed(tab, lambda: tab.locator(".picks button[data-name=waves]").click())
    tab.get_by_text("Only a part of the photo").click()
    canvas = tab.locator(".brush canvas")
    canvas.scroll_into_view_if_needed()
    canvas.wait_for()
    box = canvas.bounding_box()

    def stroke() -> None:
        tab.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
        tab.mouse.down()
        tab.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.7, steps=5)
        tab.mouse.up()

    after, before = (pixels(url) for url in reversed(changed(tab, stroke)))
    middle = after.shape[1] // 2
    assert np.abs(after - before)[:, middle:].max() < 12 < np.abs(after - before)[:, :middle].max()
    assert changed(tab, lambda: tab.get_by_role("button", name="Clear").click()) == everywhere


def pixels(url: str) -> Any:
    """(H, W, 3) in 0..255 of a JPEG in an address."""
    return read(b64decode(url.split(",")[1])).rgb.permute(1, 2, 0).numpy() * 255


def test_bad_files_get_a_friendly_line_and_the_page_goes_on(tab: Any, tmp_path: Path) -> None:
    text, huge, heavy = tmp_path / "notes.jpg", tmp_path / "bomb.png", tmp_path / "heavy.png"
    text.write_text("not a picture")
    huge.write_bytes(bomb("PNG", 60000, 60000))
    heavy.write_bytes(bytes(2**20 + 1))
    for path, words in ((text, "is a text file"), (huge, "60000"), (heavy, "larger than 1 MB")):
        drop(tab, 0, path)
        tab.wait_for_selector(f".toast-body:has-text('{words}')")
        assert "Traceback" not in tab.content()
    assert shown(tab) == []
    changed(tab, lambda: drop(tab, 0, picture(tmp_path / "me.png", (150, 200))))


def test_styles_are_kept_and_chosen_again(tab: Any, page: Page) -> None:
    changed(tab, lambda: tab.locator(".picks button[data-name=coffee]").click())
    changed(tab, lambda: tab.locator(".picks button[data-name=strokes]").click())
    tab.get_by_text("Keep these styles").click()
    tab.get_by_label("Name").fill("Night sky")
    tab.get_by_role("button", name="Keep", exact=True).click()
    changed(tab, lambda: tab.locator(".picks button[data-name='Night sky']").click())
    assert tab.locator(".place:visible").count() == 2
    tab.get_by_label("The photo's", exact=True).check()
    status(tab, "has only its own colours")
    changed(tab, lambda: tab.get_by_label("The photo's, only light changes").check())
    status(tab, "A small preview")
    assert [path.name for path in page.shelf.iterdir()] == ["Night sky.style"]


@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_cut_off(tab: Any, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 700})
    changed(tab, lambda: tab.locator(".picks button[data-name=chelsea]").click())
    for name in ("waves", "mosaic", "strokes", "linocut"):
        changed(tab, lambda name=name: tab.locator(f".picks button[data-name={name}]").click())
    assert tab.locator(".place:visible").count() == 4
    for button in tab.locator("button:visible").all():
        box = button.bounding_box()
        assert box is None or (box["x"] >= 0 and box["x"] + box["width"] <= width), button
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.evaluate("window.scrollTo(0, 500)")
    tab.wait_for_timeout(100)
    assert tab.locator("#viewer").bounding_box()["y"] >= -1, "the picture stays in sight while sliders move"
