"""Worker processes at their start and Ctrl-C: one clear message, exit code 130, no process left."""

import os
import signal
import subprocess
import sys
import time

import pytest

from surefoot.errors import TrialError
from surefoot.tasks.models import article, char_lm, fmnist_2c2d, logreg_digits, mlp_mnist, vae_mnist
from surefoot.workers import pool
from surefoot.workers.local import LocalHost
from surefoot.workers.pool import Pool
from surefoot.workers.shared_data import shared

INTERRUPTED_WHILE_PLANNING = """
import surefoot.comparison.ask as planning
from surefoot.cli.__main__ import main

def ask(*_):
    exec("raise KeyboardInterrupt")

planning.ask = ask
main()
"""


@pytest.mark.parametrize("made", [article, char_lm, fmnist_2c2d, logreg_digits, mlp_mnist, vae_mnist])
def test_a_built_in_model_is_made_without_torchs_tracer(made, monkeypatch):
    """Whose import would take a second or more of every worker's start."""
    for tracer in ("torch._dynamo", "torch.fx.experimental.symbolic_shapes"):
        monkeypatch.setitem(sys.modules, tracer, None)
    made.make_model(0)


@pytest.fixture
def broken_torch(tmp_path, monkeypatch):
    """An environment in which processes to come cannot import torch."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('libtorch is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("broken_torch")
def test_workers_that_cannot_import_end_the_command_with_one_message(tmp_path):
    options = ["--only", "-o", "adam,sgd", "--workers", "2", "--device", "cpu", "--store", tmp_path / "r.sqlite"]
    command = [sys.executable, "-m", "surefoot.cli", "compare", *options, "--report", tmp_path / "r.html"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 2
    assert "cannot start: ImportError: libtorch is missing" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.fixture
def host():
    """This machine, with nothing to train."""
    with shared(None) as task:
        yield LocalHost(task, "cpu")


@pytest.mark.usefixtures("broken_torch")
def test_a_worker_does_not_hear_ctrl_c_from_its_first_moment(host):
    worker = host.start()
    try:
        for _ in range(20):
            os.kill(worker.pid, signal.SIGINT)
            time.sleep(0.01)
        assert isinstance(worker.listen(), TrialError)
    finally:
        worker.stop()


def test_workers_already_started_are_stopped_when_the_next_cannot_be():
    started, stopped = [], []

    class Narrow:
        attempts = 1

        def start(self):
            if started:
                raise OSError("no more processes")
            started.append(self)
            return self

        def stop(self):
            stopped.append(self)

    with pytest.raises(OSError, match="no more processes"):
        list(Pool(Narrow(), 2).run([None, None], lambda _: None))
    assert stopped == started


def test_workers_that_hang_at_their_start_are_not_waited_for_without_limit(host, monkeypatch, tmp_path):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("import time; time.sleep(600)")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pool, "START_SECONDS", 1.0)
    with pytest.raises(TrialError, match=r"no worker was ready to train within 1 s\. Try fewer workers"):
        list(Pool(host, 1).run([None], lambda _: None))


def test_a_worker_whose_driver_is_killed_while_it_starts_says_nothing():
    for delay in (0, 0.02, 0.1, 0.3, 1):
        code = f"{DRIVER}\nprint(flush=True)\ntime.sleep(3600)"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as driver:
            driver.stdout.readline()
            time.sleep(delay)
            driver.kill()
            assert driver.communicate(timeout=600)[1] == b""  # which ends when the last worker has closed it


DRIVER = """
import time
from surefoot.workers.local import LocalHost
from surefoot.workers.shared_data import shared

task = shared(None)
host = LocalHost(task.__enter__(), "cpu")
workers = [host.start() for _ in range(3)]
"""


def test_ctrl_c_while_python_runs_text_ends_with_130_under_dash_m(tmp_path):
    (tmp_path / "interrupted.py").write_text(INTERRUPTED_WHILE_PLANNING)
    ended = subprocess.run(
        [sys.executable, "-m", "interrupted", "compare"], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert ended.returncode == 130
    assert ended.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
def test_a_full_disk_behind_standard_output_is_one_message():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run(
            [sys.executable, "-m", "surefoot.cli", "list"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=600
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("surefoot: ")
    assert "Traceback" not in ended.stderr
