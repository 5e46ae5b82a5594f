"""The README's picture of the web page, taken by a headless Chromium.

python tests/benchmarks/screens.py
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from pictures import FOLDER
from playwright.sync_api import sync_playwright

from wct.images import read

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pages import open_page

WAIT = 120_000
"""Milliseconds."""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, open_page(Path(folder)) as page, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 760})
        tab.set_default_timeout(WAIT)
        tab.goto(f"http://127.0.0.1:{page.port}/")
        for name in ("coffee", "waves", "strokes"):
            tab.locator(f".picks button[data-name={name}]").click()
            tab.wait_for_timeout(4_000)
        tab.get_by_role("button", name="Make the full picture").click()
        tab.wait_for_selector("#download a")
        tab.wait_for_timeout(2_000)
        data = tab.screenshot()
        browser.close()
    read(data).resized(480).save(FOLDER / "web.jpg", overwrite=True, quality=82)
