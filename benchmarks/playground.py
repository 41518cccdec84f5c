"""Draw the README's picture of the playground: `python benchmarks/playground.py docs/playground.png`.

Needs Playwright and Chromium (the one that CHROMIUM names, or the first of the usual names on the path).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from surefoot.explain.page import write_page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

RACERS = ("sgd~torch", "momentum~torch", "adagrad~torch", "rmsprop~torch", "adabound~torch~gamma:0.01")

FRAGMENT = f"#surface=beale&at=24&race={','.join(RACERS)}"
"""Beale's function, where the walks part, at a step at which they are still under way."""


def main(target: Path, scheme: str = "light") -> None:
    """Draw it, light or dark."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page_file = write_page(Path(folder) / "playground.html")
        found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(
            viewport={"width": 1280, "height": 830}, color_scheme=scheme, device_scale_factor=1.5
        )
        page = context.new_page()
        page.goto(page_file.as_uri() + FRAGMENT)
        page.wait_for_selector("#step:text-matches('step 24')")
        page.screenshot(path=target)
        browser.close()
    print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
