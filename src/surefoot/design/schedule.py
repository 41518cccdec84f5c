"""Learning-rate schedules, the same for every optimizer: factors of its learning rate, step by step.

Functions of the step alone, so a trial that goes on from a checkpoint needs nothing else to find its place.
"""

from __future__ import annotations

from math import cos, pi
from typing import get_args

from surefoot.errors import unknown
from surefoot.store.protocol import Schedule

SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)

WARMUP = 0.05
"""The share of the steps in which `warmup-cosine` rises, as in AlgoPerf."""


def check_schedule(name: str) -> Schedule:
    """Return the name; `UsageError` with the close matches if there is no such schedule."""
    for known in SCHEDULES:
        if known == name:
            return known
    raise unknown("schedule", name, SCHEDULES)


def factor(schedule: Schedule, step: int, steps: int) -> float:
    """Return what the learning rate is multiplied by.

    Args:
        schedule: `constant`; `cosine`, which falls from 1 to nearly 0; `warmup-cosine`, which rises first.
        step: from 1 to `steps`.
        steps: of the whole trial.
    """
    if schedule == "constant":
        return 1.0
    rising = max(1, round(WARMUP * steps)) if schedule == "warmup-cosine" else 0
    if step <= rising:
        return step / rising
    return (1 + cos(pi * (step - 1 - rising) / max(1, steps - rising))) / 2
