"""Ctrl-C between two turns, so that no measurement and no peer is caught in the middle.

Python raises KeyboardInterrupt wherever it happens to be: in a callback of the garbage collector (jax has one) it would
be printed and forgotten. So Ctrl-C is noted, and asked about before each turn; a second one is raised at once.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interrupt:
    """Notes Ctrl-C while it is entered; elsewhere than in the main thread, which alone is told, it does nothing."""

    def __init__(self) -> None:
        self.came = False
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was one."""
        if self.came:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.check()
        self.came = True
