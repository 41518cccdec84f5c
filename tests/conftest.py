"""Settings that a framework reads when it is first imported, fixtures of many files, and what every run ends with.

No framework is imported here. Oracles must compute in float64: jax does so only if told before its import, and Keras
runs on jax. What a run has started ends with it: `left_running` names what does not, and the run has failed.
"""

import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import keras_backends
import kernel_maker
import left_running
import vega_bundle
from give_back import give_back, has_grown, stay_small
from surefoot.cli.__main__ import main

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["OMP_WAIT_POLICY"] = "passive"  # threads that wait for work leave the processor to the other worker


settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")


def pytest_configure(config: pytest.Config) -> None:
    hear_ctrl_c()
    keep_what_jax_compiles(config)
    config.pluginmanager.register(left_running.LeftRunning(), "left running")
    if config.pluginmanager.has_plugin("xdist") and not hasattr(config, "workerinput"):
        import by_file

        config.pluginmanager.register(by_file.OneProcess(), "one process")


def hear_ctrl_c() -> None:
    """A suite that a shell runs in the background is started deaf to it, and so would be all that its tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def keep_what_jax_compiles(config: pytest.Config) -> None:
    """Keep it in pytest's own cache, by its text, for the next run, the other worker, and every process of a test."""
    if cache := getattr(config, "cache", None):
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache.mkdir("jax"))
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


def pytest_collection_finish(session: pytest.Session) -> None:
    """What all files import stays; the collector need not look at it again."""
    if cache := getattr(session.config, "cache", None):
        vega_bundle.made_elsewhere(cache.mkdir("vega"))
    stay_small()
    give_back()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if nextitem is None or nextitem.path != item.path or has_grown():
        give_back()


def pytest_sessionfinish() -> None:
    keras_backends.close()
    kernel_maker.close()


@pytest.fixture(scope="session", autouse=True)
def kernel_cache(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep compiled kernels in pytest's own cache, where the next run finds them, and not among the user's."""
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("kernels") if cache else tmp_path_factory.mktemp("kernels")
    with pytest.MonkeyPatch.context() as patch, kernel_maker.made_elsewhere(folder):
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "surefoot" / "kernels"


@pytest.fixture
def workers_here(kernel_cache: Path) -> Iterator[None]:  # noqa: ARG001
    """Every comparison of this test trains in the test's own process, and starts none."""
    from workers_here import here

    with here():
        yield


@pytest.fixture
def forked_workers() -> Iterator[None]:
    """The worker processes of this test start as forks, without importing torch each."""
    from forked_workers import forked

    with forked():
        yield


@pytest.fixture(scope="module")
def browser():
    """Chromium, for the tests that open pages in it; a machine without it fails here."""
    from playwright.sync_api import sync_playwright

    from chromium import FLAGS, browser_path

    found = browser_path()
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=found, args=FLAGS)
        with pytest.MonkeyPatch.context() as patch:
            for way in ("new_context", "new_page"):
                patch.setattr(running, way, patient(getattr(running, way)))
            yield running
        running.close()


def patient(make):
    """What opens a page whose clicks and questions wait as long as a busy machine takes: 30 s are not enough."""

    def made(**options):
        opened = make(**options)
        opened.set_default_timeout(600_000)
        return opened

    return made


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
def one_thread():
    """One thread for torch, as in a worker: the order of additions depends on their number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
