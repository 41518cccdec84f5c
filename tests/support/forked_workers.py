"""Workers that are forks of one process which has imported torch: each starts in a blink, and may be killed as any.

All but the start is as in `workers/local.py`: a worker is a process of its own, with the task's file and its end of a
connection. Those that ask how a worker starts, or that start a driver, have real ones.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from typing import Any
from unittest import mock

import psutil

from surefoot.workers import local, worker

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["imported_by_workers"])

_STARTED: list[BaseProcess] = []


class Forked:
    """What `local.py` asks of a process."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        self.pid, self.kill = process.pid, process.kill

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, seconds: float | None = None) -> None:
        self._process.join(seconds)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a forked worker", seconds or 0)


class Inherited:
    """An open file for a process to come, in which it is a number."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __reduce__(self) -> Any:
        return _number, (DupFd(self._handle),)


def _number(found: Any) -> int:
    return int(found.detach())


def _start(connection: int, file: int) -> Forked:
    process = FORKS.Process(target=_work, args=(Inherited(connection), Inherited(file)), daemon=True)
    process.start()
    _STARTED.append(process)
    return Forked(process)


def _work(connection: int, file: int) -> None:
    """Be a worker; the job names the task's file by its number in the driver."""
    with mock.patch.object(local, "_descriptor", return_value=file):
        worker.main(connection)


@contextmanager
def forked() -> Iterator[None]:
    """Have the worker processes of this one be forks of another, which finds its modules where this one does."""
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        ensure_running()
    with mock.patch.object(local, "_start", _start):
        yield


def living() -> list[psutil.Process]:
    """Return the forks that have not ended."""
    _STARTED[:] = [process for process in _STARTED if process.exitcode is None]
    return [psutil.Process(process.pid) for process in _STARTED]
