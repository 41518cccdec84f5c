"""Which browser the tests open pages in: the one that `CHROMIUM` names, or the first of the usual names on the path."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")


def browser_path():
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.fail(f"no Chromium: install it (tried {', '.join(NAMES)}), set CHROMIUM, or deselect -m 'not browser'.")
    return found
