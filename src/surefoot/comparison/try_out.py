"""Every optimizer is tried out before its first trial, so that what cannot work is said before anything is trained.

An optimizer that fails stops no other: its trials have failed without being begun. For a budget in minutes a pilot
times each, on all workers, and keeps nothing but times. A worker starts and compiles once, however many trials follow,
so that is timed apart from what each trial takes. The worker's side of both is `training/try_out.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import astuple, replace
from math import inf
from statistics import fmean

from surefoot.arms.arm import Arm
from surefoot.design.trial import Trial
from surefoot.errors import TrialError, UsageError
from surefoot.store.design import Timing
from surefoot.store.protocol import Protocol
from surefoot.tasks import Trainable
from surefoot.training.events import Event, Failed, PilotTimed, Started
from surefoot.workers.executors import open_executor
from surefoot.workers.runner import Executor, Resume, Runner

PATIENCE = 30.0
"""Seconds that a pilot always gets, so that a refusal of the budget can name one that would do."""

STORING = 0.01
"""Seconds between a worker's message and the stored epoch. A pilot stores nothing."""


class NotTimed(UsageError):  # noqa: N818  it is what happened
    """Timing every optimizer takes longer than it may."""


class TriedOut:
    """An executor that tries out each optimizer before its first trial.

    Trials of an optimizer that fails are not begun.

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
    """Try the optimizer of each trial. Returns the reason of failure by label, empty where it works."""
    tries = {one.key: one for one in (replace(trial, purpose="try") for trial in trials)}
    reasons = {trial.optimizer: "" for trial in trials}
    for event in executor.run(list(tries.values()), lambda _: None, deadline):
        if isinstance(event, Failed):
            reasons[tries[event.key].optimizer] = event.reason
    return reasons


def try_arms(task: Trainable, arms: Sequence[Arm], protocol: Protocol, workers: int, runner: Runner) -> dict[str, str]:
    """Try every optimizer without training. Returns the reason of failure by label, empty where it works."""
    trials = [Trial(task.name, arm, 0, protocol, "try") for arm in arms]
    with open_executor(runner, task, protocol.device, min(workers, len(trials))) as executor:
        return tried(trials, executor)


def time_arms(
    task: Trainable,
    arms: Sequence[Arm],
    protocol: Protocol,
    workers: int,
    runner: Runner,
    seconds: float = inf,
    check: Callable[[Mapping[str, Timing], float], object] = lambda *_: None,
) -> dict[str, Timing]:
    """Return the times of every optimizer, by label.

    An optimizer that fails gets the mean of the others. `check` is called with the times so far and the seconds they
    took. An exception of its own ends the pilot and names all of them.

    Raises:
        NotTimed: it takes longer than so many seconds, and than `PATIENCE`.
        TrialError: none can be run.
    """
    trials = {trial.key: trial for trial in (Trial(task.name, arm, 0, protocol, "pilot") for arm in arms)}
    found: dict[str, Timing] = {}
    reasons: list[str] = []
    begun, starting = time.monotonic(), 0.0
    with open_executor(runner, task, protocol.device, min(workers, len(trials))) as pool:
        for event in pool.run(list(trials.values()), lambda _: None, begun + max(seconds, PATIENCE)):
            label = trials[event.key].arm.label
            if isinstance(event, Started):
                starting = starting or time.monotonic() - begun
            if isinstance(event, PilotTimed):
                found[label] = replace(event.timing, keeping=event.timing.keeping + STORING)
                _check(check, found, arms, time.monotonic() - begun)
            if isinstance(event, Failed):
                reasons.append(f"{label}: {event.reason}")
    if len(found) + len(reasons) < len(trials):
        several = f"{len(arms)} optimizers, for a second or two each," if len(arms) > 1 else "one optimizer"
        raise NotTimed(
            f"a budget of {seconds:g} s is too small: to start and to time {several} takes longer. Give more time or "
            "fewer optimizers."
        )
    if not found:
        raise TrialError(f"no optimizer can be run. {' '.join(reasons)}")
    return {label: replace(one, cold=starting + one.cold) for label, one in of_every(found, arms).items()}


def _check(
    check: Callable[[Mapping[str, Timing], float], object],
    found: Mapping[str, Timing],
    arms: Sequence[Arm],
    spent: float,
) -> None:
    """Check the times so far. On failure the error is about all optimizers, with missing times estimated."""
    try:
        check(found, spent)
    except UsageError:
        check(of_every(found, arms), spent)
        raise


def of_every(found: Mapping[str, Timing], arms: Sequence[Arm]) -> dict[str, Timing]:
    """Return the times of every optimizer. Missing times become the mean of the others."""
    mean = Timing(*map(fmean, zip(*map(astuple, found.values()), strict=True)))
    return {arm.label: found.get(arm.label, mean) for arm in arms}
