"""Which browser the tests open pages in; run as a script, it installs one if there is none.

The one that `CHROMIUM` names, the first of the usual names on the path, or Playwright's own.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
INSTALLERS = (
    [sys.executable, "-m", "playwright", "install", "chromium"],
    ["apt-get", "update"],  # where Playwright's download is out of reach; for root only
    ["apt-get", "install", "--yes", "chromium"],
)
MISSING = (
    f"no Chromium, and none could be installed: install it (tried {', '.join(NAMES)} and Playwright's), set CHROMIUM, "
    "or deselect these tests with -m 'not browser and not frameworks'."
)


def find_browser() -> str | None:
    """Return the path of a browser."""
    named = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if named:
        return named
    with sync_playwright() as driver:
        own = driver.chromium.executable_path
    return own if Path(own).exists() else None


def browser_path() -> str:
    """Return the path of the browser; a machine without one fails the test."""
    return find_browser() or pytest.fail(MISSING)


def install_browser() -> None:
    """Try each way to install a browser until there is one; if there is none in the end, the tests will fail."""
    for command in INSTALLERS:
        if find_browser():
            return
        if shutil.which(command[0]):
            print("no browser for the tests yet:", *command, flush=True)
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if not find_browser():
        print(MISSING)


if __name__ == "__main__":
    install_browser()
