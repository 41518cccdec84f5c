"""Work that Ctrl-C must not break off: Numba's import and its compiling.

It runs in a thread of its own, since Python gives signals to the main thread alone, and that waits for it. An interrupt
that came in between is raised when it is done, at most a few seconds later. It may come as the thread is started, too:
then another one is, and of both the first that runs does the work. Both sides use bare locks, since an interrupt may
leave those of Python's own waiting locked.
"""

from __future__ import annotations

import sys
from _thread import start_new_thread
from collections.abc import Callable
from importlib import import_module
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")


def uninterrupted(work: Callable[[], T]) -> T:
    """Return the result of `work` or raise its error. An interrupt waits until it is done."""
    outcome: list[tuple[Any, BaseException | None]] = []
    once, finished, late = Lock(), Lock(), None
    finished.acquire()

    def carry_out() -> None:
        if once.acquire(blocking=False):
            try:
                outcome.append((work(), None))
            except BaseException as error:
                outcome.append((None, error))
            finished.release()

    while not outcome:
        try:
            if not once.locked():
                start_new_thread(carry_out, ())
            finished.acquire()
        except BaseException as interrupt:
            if isinstance(interrupt, RuntimeError) and not once.locked():
                raise  # there can be no further thread
            late = interrupt
    found, error = outcome[0]
    if late is not None or error is not None:
        raise late or error  # type: ignore[misc]
    made: T = found
    return made


def load(name: str) -> Any:
    """Return a module that needs Numba, imported at its first use because that takes long.

    One that another thread still imports is waited for: it goes on after an interrupt.
    """
    return import_module(name) if name in sys.modules else uninterrupted(lambda: import_module(name))
