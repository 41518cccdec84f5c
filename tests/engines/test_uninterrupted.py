"""What must come to its end does, wherever Ctrl-C comes."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from threading import Event, Thread
from types import SimpleNamespace

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
    done, start, running = [], module.start_new_thread, Event()

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


def test_a_module_that_another_thread_still_imports_is_waited_for(tmp_path, monkeypatch):
    gate = SimpleNamespace(entered=Event(), go=Event())
    (tmp_path / "half_imported.py").write_text("import gate\ngate.entered.set()\ngate.go.wait()\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "gate", gate)
    found = []
    first = Thread(target=import_module, args=("half_imported",))
    second = Thread(target=lambda: found.append(hasattr(load("half_imported"), "whole")))
    first.start()
    gate.entered.wait()
    second.start()
    second.join(0.2)  # the right one waits on
    gate.go.set()
    first.join()
    second.join()
    del sys.modules["half_imported"]
    assert found == [True]
