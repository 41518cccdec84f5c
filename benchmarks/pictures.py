"""Draw the README's pictures anew from the stored run of the site: `python benchmarks/pictures.py`, into docs/.

The report and the step sizes are those of seed 0 of docs/data/article.sqlite, which `make compare` trains too; nothing
is trained here. The bar chart of step times is `surefoot bench --chart docs/bench.svg`. Needs Playwright and Chromium
(the one that CHROMIUM names, the first of the usual names on the path, or Playwright's own).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from surefoot.explain.page import write_page

DOCS = Path(__file__).parent.parent / "docs"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
RACERS = ("sgd~torch", "momentum~torch", "adagrad~torch", "rmsprop~torch", "adabound~torch~gamma:0.01")
FRAGMENT = f"#surface=beale&at=24&race={','.join(RACERS)}"
"""Beale's function, where the walks part, at a step at which they are still under way."""


def report_and_figures(folder: Path) -> Path:
    """Write the report of the stored run and put its figure of step sizes in its place; return the report."""
    store, page = shutil.copy(DOCS / "data" / "article.sqlite", folder), folder / "report.html"
    command = Path(sys.executable).with_name("surefoot")
    subprocess.run([command, "report", "article", "--store", store, "--report", page, "--figures", folder], check=True)
    shutil.copy(folder / "step-sizes.svg", DOCS)
    return page


def opened(browser: Browser, file: Path, size: tuple[int, int], scale: float, fragment: str = "") -> Page:
    """Open a file in a window of this size, light."""
    viewport = {"width": size[0], "height": size[1]}
    page = browser.new_page(viewport=viewport, color_scheme="light", device_scale_factor=scale)
    page.goto(file.as_uri() + fragment)
    return page


def main() -> None:
    """Draw them all."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        page = opened(browser, report_and_figures(folder), (1200, 1500), 1)
        page.wait_for_selector("figure svg, figure canvas")
        page.screenshot(path=DOCS / "report.png")
        page = opened(browser, write_page(folder / "playground.html"), (1280, 830), 1.5, FRAGMENT)
        page.wait_for_selector("#step:text-matches('step 24')")
        page.screenshot(path=DOCS / "playground.png")
        browser.close()


if __name__ == "__main__":
    main()
