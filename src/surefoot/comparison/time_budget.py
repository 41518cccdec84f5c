"""The time budget of a run: what it has taken so far, and which trials still fit in what is left.

Optimizers go from seed to seed together, so what fits is a number of seeds. The pilot's times are an estimate: after
each round they are set right by what the round took.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf

from surefoot.design.budget import once, wall
from surefoot.design.trial import Trial
from surefoot.store import Design, Store


class TimeBudget:
    """The clock of a run; one without a budget in seconds has no deadline.

    Args:
        store: keeps the time that the run has taken.
        design: the run's, with its budget and the pilot's times.
        workers: trials that run side by side.
    """

    def __init__(self, store: Store, design: Design, workers: int) -> None:
        self._store, self._design, self._workers = store, design, workers
        self._start = time.monotonic() - design.seconds
        self._pace, self._cold = 1.0, once(design.timings)
        self.deadline = None if design.budget.seconds is None else self._start + design.budget.seconds

    @property
    def left(self) -> float:
        """Seconds until the deadline; without one there is no end."""
        return inf if self.deadline is None else self.deadline - time.monotonic()

    def fitting(self, todo: Sequence[Trial]) -> list[Trial]:
        """Return the trials of as many seeds as can be done in the time that is left."""
        seconds = self.left / self._pace
        found: list[Trial] = []
        for seed in sorted({trial.seed for trial in todo}):
            more = [*found, *(trial for trial in todo if trial.seed == seed)]
            if self._wall(more) > seconds:
                break
            found = more
        return found

    def learn(self, trials: Sequence[Trial], seconds: float) -> None:
        """Set the pilot's times right by what these trials took together."""
        if self._design.timings:
            self._pace = seconds / (self._wall(trials) + self._cold)
            self._cold = 0.0

    def save(self) -> None:
        """Store the time taken so far."""
        self._store.spend(self._design.hash, time.monotonic() - self._start)

    def _wall(self, trials: Sequence[Trial]) -> float:
        """Return the seconds that trials take, side by side."""
        timings = self._design.timings
        some = next(iter(timings.values()))
        costs = [timings.get(one.optimizer, some).trial(one.protocol, one.protocol.epochs) for one in trials]
        return wall(costs, self._workers)
