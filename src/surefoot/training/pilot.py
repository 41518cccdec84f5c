"""A pilot in its worker: the beginning, some steps, some evaluation and a checkpoint, for a second each at most."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable

from surefoot.store.design import Timing
from surefoot.training.events import PilotTimed, Started
from surefoot.training.loop import DivergedError, Training

PILOT_SECONDS = 1.0


class Pilot(Training):
    """A trial that is only timed; its steps with all that they take, also the examples' loading and the metric."""

    def run(self, checkpoint: bytes | None) -> None:  # noqa: ARG002  there is none
        """Time it and emit the times.

        The beginning is timed twice: only a process's first trial pays for what it loads and compiles.
        """
        self.emit(Started(self.trial.key, 0))
        first, setup = _seconds(self._warm_up), _seconds(self._warm_up)
        step, example, saving = self._a_step(), self._an_example(), _seconds(self._checkpoint)
        self.emit(PilotTimed(self.trial.key, Timing(setup, step, example, saving, max(0.0, first - setup))))

    def _a_step(self) -> float:
        start, found = time.perf_counter(), []
        with contextlib.suppress(DivergedError):
            for index in self._batches():
                begun = time.perf_counter()
                self._step(index, 0, [])
                found.append(time.perf_counter() - begun)
                if time.perf_counter() - start > PILOT_SECONDS:
                    break
        return statistics.median(found or [time.perf_counter() - start])

    def _an_example(self) -> float:
        start, examples = time.perf_counter(), 0
        while time.perf_counter() - start < PILOT_SECONDS and examples < len(self.validation):
            examples += min(self.evaluation_batch, len(self.validation))
            self._evaluate(self.validation, limit=self.evaluation_batch)
        return (time.perf_counter() - start) / examples


def _seconds(what: Callable[[], object]) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start
