"""Events: a running trial's reports to the driver, in the order in which they happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.store.design import Timing
from surefoot.store.records import Epoch, Outcome, Rates

PROGRESS_SECONDS = 0.2
"""Seconds between two `StepsDone` of a trial, at least."""


class DivergedError(Exception):
    """Ends a trial whose loss is not finite, or whose final metric is not a number."""


@dataclass(frozen=True)
class Started:
    """A worker took the trial; `epoch` is the last one finished before, 0 if it starts from nothing.

    `environment` is the machine and the versions that it runs in, which the driver knows of its workers.
    """

    key: str
    epoch: int
    environment: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class StepsDone:
    """The place of a running trial: its step, epoch, and mean training loss of the epoch so far."""

    key: str
    epoch: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class EpochDone:
    """The end of an epoch, trained and validated. `checkpoint` resumes from here, if there is one."""

    key: str
    epoch: Epoch
    rates: tuple[Rates, ...]
    checkpoint: bytes | None


@dataclass(frozen=True)
class Finished:
    """The trial trained all its epochs and was tested."""

    key: str
    outcome: Outcome


@dataclass(frozen=True)
class Diverged:
    """The loss left the finite numbers: a result of this optimizer at these hyperparameters."""

    key: str
    reason: str


@dataclass(frozen=True)
class Failed:
    """The trial could not be run: an error of the code or the machine, not of the optimizer."""

    key: str
    reason: str


@dataclass(frozen=True)
class PilotTimed:
    """The end of a trial that was only timed. Its cost of keeping an epoch is that of a checkpoint alone."""

    key: str
    timing: Timing


@dataclass(frozen=True)
class TryOutPassed:
    """The optimizer was only tried out, and works."""

    key: str


Event = Started | StepsDone | EpochDone | Finished | Diverged | Failed | PilotTimed | TryOutPassed
"""Anything that a running trial reports."""

End = Finished | Diverged | Failed | PilotTimed | TryOutPassed
"""The last event of a trial."""
