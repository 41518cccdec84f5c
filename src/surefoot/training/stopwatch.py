"""A stopwatch that waits for what a GPU still does before it stops or goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Runs from when it is made.

    Args:
        device: `cpu`, `cuda` or `mps`: where the work is done.
    """

    def __init__(self, device: str) -> None:
        self._device, self._apart = device, 0.0
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds so far, without those in which it stood."""
        return time.perf_counter() - self._start - self._apart

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand for as long as the block runs."""
        self._wait()
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._wait()
            self._apart += time.perf_counter() - begun

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()
        elif self._device == "mps":
            torch.mps.synchronize()
