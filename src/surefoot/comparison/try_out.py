"""Every optimizer is tried out before its first trial, so that what cannot work is said before anything is trained.

The worker's side is `training/try_out.py`. An optimizer that fails stops no other: its trials have failed
without being begun.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

from surefoot.arms.arm import Arm
from surefoot.design.trial import Trial
from surefoot.store.protocol import Protocol
from surefoot.tasks import Task
from surefoot.training.events import Event, Failed
from surefoot.workers.executors import open_executor
from surefoot.workers.runner import Executor, Resume, Runner


class TriedOut:
    """An executor that tries each optimizer out before its first trial, and does not begin those of one that fails.

    Args:
        executor: runs the trials.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._reasons: dict[str, str] = {}

    def run(
        self, trials: Sequence[Trial], resume: Resume, deadline: float | None = None
    ) -> Generator[Event, None, None]:
        """See `Executor.run`."""
        new = {trial.optimizer: trial for trial in reversed(trials) if trial.optimizer not in self._reasons}
        self._reasons |= tried(list(reversed(new.values())), self._executor, deadline)
        sound = []
        for trial in trials:
            if reason := self._reasons.get(trial.optimizer):
                yield Failed(trial.key, reason)
            else:
                sound.append(trial)
        yield from self._executor.run(sound, resume, deadline)


def tried(trials: Sequence[Trial], executor: Executor, deadline: float | None = None) -> dict[str, str]:
    """Try the optimizer of each trial; return why each fails, by its label, or an empty text."""
    tries = {one.key: one for one in (replace(trial, purpose="try") for trial in trials)}
    reasons = {trial.optimizer: "" for trial in trials}
    for event in executor.run(list(tries.values()), lambda _: None, deadline):
        if isinstance(event, Failed):
            reasons[tries[event.key].optimizer] = event.reason
    return reasons


def try_arms(task: Task, arms: Sequence[Arm], protocol: Protocol, workers: int, runner: Runner) -> dict[str, str]:
    """Try every optimizer and train nothing; return why each fails, by its label, or an empty text."""
    trials = [Trial(task.name, arm, 0, protocol, "try") for arm in arms]
    with open_executor(runner, task, protocol.device, min(workers, len(trials))) as executor:
        return tried(trials, executor)
