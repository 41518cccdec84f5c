"""What must come to its end does, wherever Ctrl-C comes."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from surefoot.engines import uninterrupted as module
from surefoot.engines.uninterrupted import load, uninterrupted


def slowly(done: list[int]) -> int:
    time.sleep(0.2)
    done.append(1)
    return len(done)


def test_it_returns_and_raises_what_the_work_does():
    assert uninterrupted(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        uninterrupted(lambda: 1 // 0)


@pytest.mark.parametrize("before", [True, False], ids=["before its thread runs", "as its thread runs"])
def test_an_interrupt_as_the_thread_starts_waits_for_the_work(monkeypatch, before):
    done, start, running = [], module.start_new_thread, threading.Event()

    def work():
        running.set()
        return slowly(done)

    def interrupted_once(*arguments):
        monkeypatch.setattr(module, "start_new_thread", start)
        start(*((time.sleep, (0.1,)) if before else arguments))
        if not before:
            running.wait()
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "start_new_thread", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        uninterrupted(work)
    assert done == [1]


def test_where_no_thread_can_be_started_it_says_so(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module, "start_new_thread", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        uninterrupted(lambda: 3)


def test_a_module_that_another_thread_imports_is_waited_for(tmp_path, monkeypatch):
    (tmp_path / "slow_module.py").write_text("import time\ntime.sleep(0.3)\nREADY = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    other = threading.Thread(target=load, args=("slow_module",))
    other.start()
    while "slow_module" not in sys.modules:
        time.sleep(0.01)
    assert load("slow_module").READY
    other.join()
    del sys.modules["slow_module"]
