"""Learning-rate schedules: a shape by name or a function, after a warm-up.

A study has one schedule; an optimizer may have one of its own, as one of its options. So an optimizer without a
schedule can be compared with another one at its best, which has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import Any, get_args

from surefoot.arms.code_hash import digest
from surefoot.errors import UsageError, unknown
from surefoot.store.protocol import Schedule
from surefoot.values import is_number, name_of

SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)

WARMUP = 0.05
"""The default share of steps in which `warmup-cosine` and `wsd` rise, as in AlgoPerf."""

COOLDOWN = 0.2
"""The share of the steps in which `wsd` falls at the end (Hägele et al. 2024, arXiv:2405.18392)."""

Function = Callable[[int, int], float]
"""A user's schedule: the factor of the learning rate at a step, of a number of steps."""


@dataclass(frozen=True)
class Scheduled:
    """A learning-rate schedule.

    Attributes:
        shape: a name, or a function of the step, from 1, and of the number of steps.
        warmup: share of the steps in which the rate rises first, to what the shape begins with.
    """

    shape: Schedule | Function = "constant"
    warmup: float = 0.0

    @property
    def is_constant(self) -> bool:
        """Whether the rate never changes."""
        return self.shape == "constant" and not self.warmup

    @property
    def name(self) -> str:
        """The name of the shape, or of a function with a hash of its code."""
        return f"{name_of(self.shape)}@{digest(self.shape)}" if callable(self.shape) else self.shape

    def factor(self, step: int, steps: int) -> float:
        """Return the factor of the learning rate at a step, from 1."""
        rising = max(1, round(self.warmup * steps)) if self.warmup else 0
        if step <= rising:
            return step / rising
        if callable(self.shape):
            return float(self.shape(step - rising, steps - rising))
        return _FALLS[self.shape]((step - 1 - rising) / max(1, steps - rising))


def _wsd(done: float) -> float:
    return min(1.0, (1 - done) / COOLDOWN)


def _cosine(done: float) -> float:
    return (1 + cos(pi * done)) / 2


_FALLS: Mapping[Schedule, Callable[[float], float]] = {
    "constant": lambda _: 1.0,
    "cosine": _cosine,
    "linear": lambda done: 1 - done,
    "warmup-cosine": _cosine,
    "wsd": _wsd,
}
"""The factor of the rate at a share of the steps after the warm-up. Each begins with 1."""


def scheduled(shape: Any, warmup: Any = None) -> Scheduled:
    """Return a schedule, read from what a user gave.

    Args:
        shape: one of `SCHEDULES`, or a function of the step and of the number of steps.
        warmup: share of the steps that rise, from 0 to below 1; None takes that of the shape.

    Raises:
        UsageError: no such schedule, with the close matches, or no such share.
    """
    if not callable(shape) and shape not in SCHEDULES:
        raise unknown("schedule", str(shape), SCHEDULES)
    if warmup is None:
        return Scheduled(shape, WARMUP if shape in ("warmup-cosine", "wsd") else 0.0)
    if not is_number(warmup) or not 0 <= warmup < 1:
        raise UsageError(f"warmup is {warmup!r}; give the share of the steps in which the rate rises, such as 0.05.")
    return Scheduled(shape, float(warmup))


def own_schedule(given: Mapping[str, Any]) -> Scheduled | None:
    """Return the schedule among an optimizer's options, or None; `UsageError` for a warm-up without one."""
    if "schedule" in given:
        return scheduled(given["schedule"], given.get("warmup"))
    if "warmup" in given:
        raise UsageError('warmup goes with a schedule of the optimizer: write "adamw(schedule=cosine, warmup=0.1)".')
    return None
