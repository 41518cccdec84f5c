"""The kinds of trials: of a task or a training function; to train, time or try out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from surefoot.design.trial import Trial
from surefoot.training.events import Event
from surefoot.training.function_task import FunctionTask
from surefoot.training.function_training import FunctionPilot, FunctionTraining, FunctionTryOut
from surefoot.training.loop import Training
from surefoot.training.try_out import Pilot, TryOut


class Running(Protocol):
    """A trial that can be run."""

    def run(self, checkpoint: bytes | None) -> None:
        """Run it, from a checkpoint if there is one, and emit what happens."""
        ...


def training(trial: Trial, task: Any, emit: Callable[[Event], None]) -> Running:
    """Return what runs a trial of a task or a training function."""
    if isinstance(task, FunctionTask):
        return {"pilot": FunctionPilot, "try": FunctionTryOut}.get(trial.purpose, FunctionTraining)(trial, task, emit)
    return {"pilot": Pilot, "try": TryOut}.get(trial.purpose, Training)(trial, task, emit)
