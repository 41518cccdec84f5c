"""A file's tests run in one process; so do all those that need Keras's backends, each of which is a process.

pytest-xdist has a marker for it, and writes the group into a name that pytest 9 does not read any more: every file ran
in every process, made its fixtures again in each, and nothing said so. So the scheduler is ours, whatever `--dist`
says, and a run in which a file came to two processes has failed, and names it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

import keras_backends
from paths import ROOT


def file_of(test: str) -> str:
    """Return the path of a test's file."""
    return test.split("::", 1)[0]


class ByFile(LoadScopeScheduling):
    """Gives each process whole files."""

    def _split_scope(self, nodeid: str) -> str:
        return "keras_backends" if keras_backends.used_in(ROOT / file_of(nodeid)) else file_of(nodeid)


class OneProcess:
    """Schedules by file, hears where each test ran, and looks at the end whether files stayed whole."""

    def __init__(self) -> None:
        self.processes: dict[str, set[str]] = defaultdict(set)

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> ByFile:
        """Take files as they come: those with the most tests are not those that take longest."""
        config.option.loadscopereorder = False
        return ByFile(config, log)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Note the process of a test."""
        self.processes[file_of(report.nodeid)].add(getattr(report, "worker_id", "here"))

    @property
    def torn(self) -> list[str]:
        """Files whose tests ran in several processes."""
        return sorted(file for file, processes in self.processes.items() if len(processes) > 1)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail."""
        if self.torn:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Name each file."""
        for file in self.torn:
            terminalreporter.write_line(f"RAN IN SEVERAL PROCESSES: {file}", red=True)
