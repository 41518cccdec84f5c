"""The check at the end of a run finds what lives on, also what has lost its parent."""

import subprocess
import sys

import psutil
import pytest

import left_running

MARK = "a run of this test's own"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_child_and_an_orphan_that_live_on_are_found_and_what_has_ended_is_not(monkeypatch):
    monkeypatch.setattr(left_running, "SECONDS", 0.0)
    monkeypatch.setenv(left_running.MARK, MARK)
    subprocess.run(["true"], check=True)
    child = subprocess.Popen(["sleep", "600"])
    told = subprocess.run(["sh", "-c", "sleep 600 >/dev/null & echo $!"], stdout=subprocess.PIPE, check=True)
    both = [child.pid, int(told.stdout)]
    try:
        found = {process.pid: left_running.named(process) for process in left_running.living(MARK)}
        assert [found.get(pid) for pid in both] == [f"{pid}: sleep 600" for pid in both]
    finally:
        for pid in both:
            psutil.Process(pid).kill()
        child.wait()
