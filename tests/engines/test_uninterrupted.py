"""An import that goes on in its thread after an interrupt: no step sees the module before it is whole."""

import sys
from importlib import import_module
from threading import Event, Thread
from types import SimpleNamespace

from surefoot.engines.uninterrupted import load


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
