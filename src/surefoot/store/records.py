"""Records: what the store keeps of a trial, as plain frozen data.

Nothing here knows SQLite or a framework, so the three sides meet in this file only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any, Literal

from surefoot.store.design import TrialPart
from surefoot.store.looks import TakenLook
from surefoot.store.protocol import Metric, Protocol

Status = Literal["running", "finished", "diverged", "failed"]

ENDED: tuple[Status, ...] = ("finished", "diverged")
"""The statuses of trials that ended with a result. A failed trial is tried again."""

Purpose = Literal["measure", "tune", "pilot", "try"]
"""The purpose of a trial. A pilot is only timed, a try only shows that the optimizer works: neither leaves a record."""

RATE_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Epoch:
    """One epoch of one trial.

    `epoch` counts from 1. `seconds` is the training time from the start of the trial to the end of this epoch;
    evaluation, loading examples and a metric of the user's are not in it. The training figures are means over the
    epoch's batches while the weights were moving (as Keras's `history` has them); the validation figures are taken in
    evaluation mode at the end of the epoch. The metric is the task's (`Record.metric`); a share, such as an accuracy,
    is a fraction.
    """

    epoch: int
    seconds: float
    train_loss: float
    train_metric: float
    validation_loss: float
    validation_metric: float


@dataclass(frozen=True)
class Rates:
    """The distribution of the effective step size (the rule's `rate`) over all weights, at one step.

    `quantiles` stand at `RATE_QUANTILES`. `lower` and `upper` are the bounds at this step for AdaBound and AMSBound,
    None for rules without bounds.
    """

    step: int
    quantiles: tuple[float, ...]
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Outcome:
    """The measurements at the end of a trial, in evaluation mode.

    `train_loss` and `train_metric` are of the first images of the training part, as many as the validation part
    has, so that train and validation compare like with like. `step_seconds` is the median time of one training step
    (forward pass, backward pass and the optimizer's step), `optimizer_bytes` the memory of the optimizer's state,
    `parameters` the number of trainable weights. `engine` is what ran the optimizer's steps, as it tells itself: `cpu`,
    `gpu`, `eager`; empty where that was not recorded. `gradients` is how often a step took loss and gradients: several
    times where the optimizer calls a closure. `others` are further metrics of the test data, by name.
    """

    test_loss: float
    test_metric: float
    train_loss: float
    train_metric: float
    step_seconds: float
    optimizer_bytes: int
    parameters: int
    engine: str = ""
    gradients: float = 1.0
    others: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """A trial in the store: an optimizer with its hyperparameters, one seed, one protocol.

    `key` identifies it; `label` is the user's name for the optimizer (any text: escape it); `hyper` the decoded
    hyperparameters; `protocol` everything else that decides the numbers; `environment` the machine and versions that
    ran it. A trial that diverged has status `diverged`, the `reason`, the epochs before it, and no outcome.

    `purpose` tells why it ran: to `measure` an optimizer, or to `tune` one. A tuning trial never sees the test images:
    its test figures are NaN. `part` is what it is in the run that it was read for, as are `study` and `label`; `judged`
    has the looks at earlier runs that it was measured for, whose verdicts it was part of.
    """

    key: str
    study: str
    label: str
    rule: str
    convention: str
    hyper: Mapping[str, Any]
    seed: int
    protocol: Protocol
    environment: Mapping[str, Any] = field(default_factory=dict)
    purpose: Purpose = "measure"
    status: Status = "running"
    reason: str = ""
    part: TrialPart = field(default_factory=TrialPart)
    epochs: tuple[Epoch, ...] = ()
    rates: tuple[Rates, ...] = ()
    outcome: Outcome | None = None
    judged: frozenset[TakenLook] = frozenset()

    @property
    def metric(self) -> Metric:
        """The task's metric."""
        return self.protocol.metric

    @property
    def validation_score(self) -> float:
        """The validation metric at the end of a finished trial, by which tuning judges it; NaN for any other trial."""
        return self.epochs[-1].validation_metric if self.status == "finished" and self.epochs else nan
