"""What must come to its end: Numba that is imported or compiles, and is broken for good if Ctrl-C stops it midway.

It runs in a thread of its own, since Python gives signals to the main thread alone, and that waits for it. An interrupt
that came in between is raised when it is done, at most a few seconds later.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


def uninterrupted(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises; an interrupt waits until it is done."""
    result: Future[T] = Future()
    thread = Thread(target=_carry_out, args=(work, result), name="surefoot")
    thread.start()
    late = _wait(thread)
    if late is not None:
        raise late
    return result.result()


def load(name: str) -> Any:
    """Return a module that needs Numba, whose import takes a while: when it is needed, and not before.

    One that another thread still imports is waited for: it goes on after an interrupt.
    """
    return import_module(name) if name in sys.modules else uninterrupted(lambda: import_module(name))


def _carry_out(work: Callable[[], T], result: Future[T]) -> None:
    try:
        result.set_result(work())
    except BaseException as error:
        result.set_exception(error)


def _wait(thread: Thread) -> BaseException | None:
    """Wait for a thread; return the interrupt that came meanwhile."""
    late = None
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as interrupt:
            late = interrupt
    return late
