"""One trial of a training function: tried out, timed or trained."""

from __future__ import annotations

import time
from collections.abc import Callable

from surefoot.design.trial import Trial
from surefoot.store.design import Timing
from surefoot.tasks.seeds import seed_everything
from surefoot.training.events import Diverged, DivergedError, Event, Finished, PilotTimed, Started, TryOutPassed
from surefoot.training.function_task import FunctionTask
from surefoot.training.training_run import Enough, TrainingRun

STEPS = 2
"""Steps that show that a training works with an optimizer, unless its first report comes earlier."""


class FunctionTraining:
    """One trial while it trains.

    Args:
        trial: which arm, seed and protocol.
        task: the function.
        emit: called with each event.
    """

    def __init__(self, trial: Trial, task: FunctionTask, emit: Callable[[Event], None]) -> None:
        self.trial, self.task, self.emit = trial, task, emit

    def run(self, checkpoint: bytes | None) -> None:
        """Train to the end, from a checkpoint if there is one, and emit what happens."""
        run = TrainingRun(self.trial, self.emit, checkpoint)
        self.emit(Started(self.trial.key, run.epoch))
        try:
            self._call(run)
            self.emit(Finished(self.trial.key, run._outcome()))
        except DivergedError as reason:
            self.emit(Diverged(self.trial.key, str(reason)))

    def _call(self, run: TrainingRun) -> None:
        seed_everything(self.trial.seed)
        self.task.train(run)


class FunctionTryOut(FunctionTraining):
    """The try-out of one optimizer: its first steps, and a checkpoint of what the function saves."""

    def run(self, checkpoint: bytes | None) -> None:  # noqa: ARG002  there is none
        """Try the optimizer and report that it works. A lost loss is no failure here."""
        self.emit(Started(self.trial.key, 0))
        run = TrainingRun(self.trial, lambda _: None, steps=STEPS)
        try:
            self._call(run)
            run._outcome()
        except Enough:
            run._try_keeping()
        except DivergedError:
            pass
        self.emit(TryOutPassed(self.trial.key))


class FunctionPilot(FunctionTraining):
    """A trial that is only timed, over its first epoch with validation and checkpoint."""

    def run(self, checkpoint: bytes | None) -> None:  # noqa: ARG002  there is none
        """Time it and emit the times."""
        self.emit(Started(self.trial.key, 0))
        begun = time.perf_counter()
        run = TrainingRun(self.trial, lambda _: None)
        try:
            self._call(run)
            run._outcome()
        except DivergedError:
            pass
        seconds = time.perf_counter() - begun
        timing = Timing(setup=max(0.0, seconds - run.wall), step=0.0, example=0.0, keeping=run.wall or seconds)
        self.emit(PilotTimed(self.trial.key, timing))
