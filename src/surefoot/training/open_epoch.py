"""The running epoch of a training function: its clock, its losses and its reports."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from surefoot.errors import TrialError
from surefoot.store.records import Rates
from surefoot.training.step_records import Stopwatch


class OpenEpoch:
    """The epoch that runs: its clock, its losses and what was reported in it."""

    def __init__(self, device: str) -> None:
        self.clock, self._stands, self._lap = Stopwatch(device), False, 0.0
        self.losses: list[float] = []
        self.rates: list[Rates] = []
        self.reported: tuple[float, float] | None = None
        self.evaluated = False
        self.shown = time.perf_counter()

    def lap(self) -> float:
        """Return the seconds since this was asked last."""
        before, self._lap = self._lap, self.clock.seconds
        return self._lap - before

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Let the clock stand, if it does not stand already."""
        if self._stands:
            yield
            return
        self._stands = True
        try:
            with self.clock.stopped():
                yield
        finally:
            self._stands = False


def number(value: Any, what: str) -> float:
    """Return a number, a tensor's or an array's of one too."""
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TrialError(f"{what} is given a {type(value).__name__} ({error}); give one number.") from error
