"""Settings that a framework reads when it is first imported; no framework is imported here.

Oracles must compute in float64: jax does so only if told before its import, and Keras runs on jax.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.cli.__main__ import main

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"


@pytest.fixture(scope="module")
def kernel_cache(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Keep compiled kernels in pytest's own cache, where the next run finds them, and not in the user's."""
    folder = request.config.cache.mkdir("kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "surefoot" / "kernels"


@pytest.fixture(scope="module")
def browser():
    """Chromium, for the tests that open pages in it; a machine without it fails here."""
    from playwright.sync_api import sync_playwright

    from chromium import FLAGS, browser_path

    found = browser_path()
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def mnist_read_once():
    """The built-in tasks' data sets are read and verified once for all tests of a file, and not by each."""
    from functools import lru_cache

    from surefoot.tasks import builtin

    with pytest.MonkeyPatch.context() as patch:
        read = lru_cache(builtin.load)
        patch.setattr(builtin, "load", read)
        yield read


@pytest.fixture
def surefoot_command(monkeypatch, capsys, tmp_path):
    """Run the command `surefoot` in an empty folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["surefoot", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return command
