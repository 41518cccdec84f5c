"""A trace: one figure of one trial as its training went on, on a clock of epochs, steps or seconds.

What time to a target, area under a curve and the rest need of a trial, and no more, so that they work for any metric
and for numbers that never saw our store.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from surefoot.analysis.settings import Arm
from surefoot.errors import UsageError, unknown
from surefoot.store.records import Epoch, Record

Clock = Literal["epochs", "steps", "seconds"]

FIGURES = tuple(field.name for field in fields(Epoch) if field.name not in ("epoch", "seconds"))


@dataclass(frozen=True)
class Trace:
    """`values[i]` was measured when the clock stood at `clock[i]`; the clock only moves on.

    A trial that `diverged` has the values up to then, possibly none. Seconds are training time; evaluation is not in
    them.
    """

    clock: tuple[float, ...]
    values: tuple[float, ...]
    diverged: bool = False

    def __post_init__(self) -> None:
        if len(self.clock) != len(self.values):
            raise UsageError(f"a trace has {len(self.clock)} times and {len(self.values)} values; expected as many.")
        if any(later <= earlier for earlier, later in zip(self.clock, self.clock[1:], strict=False)):
            raise UsageError(f"the clock of a trace does not move on: {self.clock}. Sort the evaluations by time.")
        if not (self.values or self.diverged):
            raise UsageError("a trace has no values, but its trial did not diverge. Leave unfinished trials out.")


def traces(arm: Arm, figure: str = "validation_metric", clock: Clock = "epochs") -> tuple[Trace, ...]:
    """The traces of an arm's finished and diverged trials, by seed order within each.

    Args:
        arm: the trials; those that failed or still run are left out, as everywhere.
        figure: which figure of `store.records.Epoch`, such as "validation_loss".
        clock: "epochs", "steps" or "seconds".

    Raises UsageError for another figure or clock, or when the protocol does not tell the steps of an epoch.
    """
    if figure not in FIGURES:
        raise unknown("figure", figure, FIGURES)
    if clock not in get_args(Clock):
        raise unknown("clock", clock, get_args(Clock))
    diverged = {trial.key for trial in arm.diverged}
    return tuple(_trace(trial, figure, clock, trial.key in diverged) for trial in traced(arm))


def traced(arm: Arm) -> tuple[Record, ...]:
    """The trials behind `traces`, in the same order: finished and diverged ones, but a finished one without epochs."""
    return tuple(trial for trial in arm.finished if trial.epochs) + arm.diverged


def _trace(trial: Record, figure: str, clock: Clock, diverged: bool) -> Trace:
    unit = _steps(trial) if clock == "steps" else 1
    times = tuple(float(e.seconds if clock == "seconds" else e.epoch * unit) for e in trial.epochs)
    return Trace(times, tuple(getattr(epoch, figure) for epoch in trial.epochs), diverged)


def tells_steps(trial: Record) -> bool:
    """Whether the protocol tells how many steps an epoch has."""
    return trial.protocol.steps_per_epoch > 0


def _steps(trial: Record) -> int:
    if not tells_steps(trial):
        raise UsageError("the protocol does not tell train_size and batch_size, so steps are unknown; use epochs.")
    return trial.protocol.steps_per_epoch
