"""Nothing that the tests start outlives them: a run that leaves a process behind has failed, and names it.

A process is the run's if it descends from it, or has its mark in the environment: an orphan does not descend any more.
With pytest-xdist each worker looks for its own, and the controller for what the workers have left.
"""

from __future__ import annotations

import os
from typing import Any

import psutil
import pytest

MARK = "SUREFOOT_TESTS_RUN_BY"
SECONDS = 60.0
"""What is ending already may take so long."""

ENDS_WITH_US = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""Python's own helpers, which wait for the end of this process."""


class LeftRunning:
    """What a session does at its end about processes that are still there."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.mark = f"{os.environ.get(MARK, '')}/{os.getpid()}"
        os.environ[MARK] = self.mark

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Look, tell, and fail."""
        self.names += [named(process) for process in living(self.mark)]
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["left running"] = self.names
        elif self.names:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear what a worker found."""
        self.names += getattr(node, "workeroutput", {}).get("left running", [])

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name each process."""
        for name in self.names:
            terminalreporter.write_line(f"LEFT RUNNING after the last test: {name}", red=True)


def living(mark: str) -> list[psutil.Process]:
    """Return the processes of a run that do not end within a moment."""
    ours = {*psutil.Process().children(recursive=True), *marked(mark)}
    left = psutil.wait_procs([process for process in ours if not awaits_us(process)], timeout=SECONDS)[1]
    return [process for process in left if not awaits_us(process)]


def marked(mark: str) -> list[psutil.Process]:
    """Return the processes that this run, or a worker of it, has started."""
    found = []
    for process in psutil.process_iter():
        try:
            own = process.environ().get(MARK, "")
        except (psutil.Error, OSError):  # another user's, or gone
            continue
        if own == mark or own.startswith(f"{mark}/"):
            found.append(process)
    return found


def awaits_us(process: psutil.Process) -> bool:
    """Whether the process is one of Python's helpers, or gone; a zombie is."""
    try:
        command = " ".join(process.cmdline())
    except psutil.Error:
        return True
    return any(name in command for name in ENDS_WITH_US)


def named(process: psutil.Process) -> str:
    """Return the number and the command of a process."""
    with process.oneshot():
        try:
            return f"{process.pid}: {' '.join(process.cmdline())[:300] or process.name()}"
        except psutil.Error:
            return f"{process.pid}"
