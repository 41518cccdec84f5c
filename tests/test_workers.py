"""Worker processes at their start and Ctrl-C: one clear message, exit code 130, no process left."""

import os
import signal
import subprocess
import sys
import time

import pytest

from surefoot.comparison import pool
from surefoot.errors import TrialError

INTERRUPTED_WHILE_PLANNING = """
import surefoot.comparison.planning
from surefoot.cli.__main__ import main

def plan(*_):
    exec("raise KeyboardInterrupt")

surefoot.comparison.planning.plan = plan
main()
"""


@pytest.fixture
def broken_torch(tmp_path, monkeypatch):
    """An environment in which processes to come cannot import torch."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('libtorch is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("broken_torch")
def test_workers_that_cannot_import_end_the_command_with_one_message(tmp_path):
    options = ["--only", "-o", "adam,sgd", "--workers", "2", "--device", "cpu", "--store", tmp_path / "r.sqlite"]
    command = [sys.executable, "-m", "surefoot.cli", "compare", *options, "--report", tmp_path / "r.html"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "cannot start: ImportError: libtorch is missing" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.usefixtures("broken_torch")
def test_a_worker_does_not_hear_ctrl_c_from_its_first_moment():
    worker = pool.Worker({}, "cpu")
    try:
        for _ in range(20):
            os.kill(worker.process.pid, signal.SIGINT)
            time.sleep(0.01)
        assert isinstance(worker.connection.recv(), TrialError)
    finally:
        worker.stop()


def test_workers_already_started_are_stopped_when_the_next_cannot_be(monkeypatch):
    started, stopped = [], []

    class Second:
        def __init__(self, *_):
            if started:
                raise OSError("no more processes")
            started.append(self)

        def stop(self):
            stopped.append(self)

    monkeypatch.setattr(pool, "Worker", Second)
    with pytest.raises(OSError, match="no more processes"):
        list(pool.Pool(2, {}, "cpu").run([], lambda _: None))
    assert stopped == started


def test_ctrl_c_while_python_runs_text_ends_with_130_under_dash_m(tmp_path):
    (tmp_path / "interrupted.py").write_text(INTERRUPTED_WHILE_PLANNING)
    ended = subprocess.run(
        [sys.executable, "-m", "interrupted", "compare"], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 130
    assert ended.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
def test_a_full_disk_behind_standard_output_is_one_message():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run(
            [sys.executable, "-m", "surefoot.cli", "list"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("surefoot: ")
    assert "Traceback" not in ended.stderr
