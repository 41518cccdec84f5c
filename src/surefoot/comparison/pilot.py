"""The pilot of a budget in minutes: every optimizer for a second or two, on all workers, and nothing kept but times.

A worker starts and compiles once, however many trials follow, so that is timed apart from what each trial takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, replace
from math import inf
from statistics import fmean

from surefoot.arms.arm import Arm
from surefoot.design.trial import Trial
from surefoot.errors import TrialError, UsageError
from surefoot.store.design import Timing
from surefoot.store.protocol import Protocol
from surefoot.tasks import Task
from surefoot.training.events import Failed, PilotTimed, Started
from surefoot.workers.executors import open_executor
from surefoot.workers.runner import Runner

STORING = 0.01
"""Seconds from a worker's message that an epoch is done to its place in the store; a pilot stores nothing."""


def time_arms(
    task: Task,
    arms: Sequence[Arm],
    protocol: Protocol,
    workers: int,
    runner: Runner,
    seconds: float = inf,
    check: Callable[[Mapping[str, Timing], float], object] = lambda *_: None,
) -> dict[str, Timing]:
    """Return the times of every optimizer, by its label; one that cannot be run has the mean of the others.

    `check` is called with the times so far and the seconds that they took; what it raises ends the pilot.

    Raises:
        UsageError: it takes longer than so many seconds.
        TrialError: none can be run.
    """
    trials = {trial.key: trial for trial in (Trial(task.name, arm, 0, protocol, "pilot") for arm in arms)}
    found: dict[str, Timing] = {}
    reasons: list[str] = []
    begun, starting = time.monotonic(), 0.0
    with open_executor(runner, task, protocol.device, min(workers, len(trials))) as pool:
        for event in pool.run(list(trials.values()), lambda _: None, begun + seconds):
            label = trials[event.key].arm.label
            if isinstance(event, Started):
                starting = starting or time.monotonic() - begun
            if isinstance(event, PilotTimed):
                found[label] = replace(event.timing, keeping=event.timing.keeping + STORING)
                check(found, time.monotonic() - begun)
            if isinstance(event, Failed):
                reasons.append(f"{label}: {event.reason}")
    if len(found) + len(reasons) < len(trials):
        raise UsageError(
            f"a budget of {seconds:g} s is too small: to start and to time {len(arms)} optimizers, for a second or two "
            "each, takes longer. Give more time or fewer optimizers."
        )
    if not found:
        raise TrialError(f"no optimizer can be run. {' '.join(reasons)}")
    return {label: replace(one, cold=starting + one.cold) for label, one in of_every(found, arms).items()}


def of_every(found: Mapping[str, Timing], arms: Sequence[Arm]) -> dict[str, Timing]:
    """Return the times of every optimizer; one that was not timed has the mean of the others."""
    mean = Timing(*map(fmean, zip(*map(astuple, found.values()), strict=True)))
    return {arm.label: found.get(arm.label, mean) for arm in arms}
