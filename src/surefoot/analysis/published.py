"""Published figures, as data, and whether runs of ours agree with them.

From the raw logs of DeepOBS's baselines (Schneider, Balles & Hennig, ICLR 2019): ten seeds for each optimizer, tuned by
its authors. A figure agrees if the difference of the means lies within its Welch 99 % interval, in which the standard
errors of both sides count; so of a hundred figures that truly agree, one is marked as not. Where the logs' spread over
seeds is not known to us it is taken to be ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from statistics import fmean, stdev
from typing import Literal

from scipy import stats

from surefoot.store import Record

SEEDS = 10
"""Runs behind every published figure."""

LEVEL = 0.99

INITIAL_LOSS = 353.447
"""The loss of quadratic-deep's test examples before the first step, to the last digit published."""

Quantity = Literal["test metric", "train loss"]


@dataclass(frozen=True)
class Figure:
    """A published mean over `SEEDS` seeds after an epoch; `deviation` is that of the seeds, None if unknown."""

    optimizer: str
    quantity: Quantity
    epoch: int
    mean: float
    deviation: float | None = None


@dataclass(frozen=True)
class Reference:
    """What was published of one task: how each optimizer was set, in torch's spelling, and the figures."""

    study: str
    optimizers: Mapping[str, str]
    figures: tuple[Figure, ...]
    digits: int

    @property
    def epochs(self) -> int:
        """How many epochs it takes to see every figure."""
        return max(figure.epoch for figure in self.figures)


def _curve(optimizer: str, *values: tuple[int, float, float | None]) -> tuple[Figure, ...]:
    return tuple(Figure(optimizer, "test metric", *value) for value in values)


QUADRATIC_DEEP = Reference(
    study="quadratic-deep",
    optimizers={
        "SGD": "sgd(lr=0.0158489)",
        "Momentum": "momentum(lr=0.00251189, momentum=0.99)",
        "Adam": "adam(lr=0.0398107)",
    },
    figures=(
        *_curve("SGD", (5, 97.70, None), (10, 92.98, None), (50, 87.67, None), (100, 87.397, 0.17)),
        *_curve("Momentum", (5, 217.38, None), (10, 134.26, None), (50, 92.818, None), (100, 87.045, 0.025)),
        *_curve("Adam", (5, 101.35, None), (10, 94.73, None), (50, 87.394, None), (100, 87.112, 0.024)),
    ),
    digits=3,
)

FMNIST_2C2D = Reference(
    study="fmnist-2c2d",
    optimizers={
        "SGD": "sgd(lr=0.158489)",
        "Momentum": "momentum(lr=0.00251189, momentum=0.99)",
    },
    figures=(
        *_curve("SGD", (1, 0.8545, 0.012), (5, 0.8956, 0.007)),
        Figure("SGD", "train loss", 5, 0.231, 0.015),
        *_curve("Momentum", (1, 0.8517, 0.008), (5, 0.8988, 0.006)),
        Figure("Momentum", "train loss", 5, 0.218, 0.016),
    ),
    digits=4,
)


@dataclass(frozen=True)
class Agreement:
    """A published figure beside ours: mean and deviation over `n` seeds of ours, and how far the means may differ.

    All are NaN if a run of ours diverged.
    """

    figure: Figure
    mean: float
    deviation: float
    n: int
    margin: float

    @property
    def difference(self) -> float:
        """Ours minus the published."""
        return self.mean - self.figure.mean

    @property
    def holds(self) -> bool:
        """Whether the difference is no larger than chance makes it; not if a run of ours diverged."""
        return abs(self.difference) <= self.margin


def agreements(reference: Reference, records: Sequence[Record]) -> tuple[Agreement, ...]:
    """Put runs of ours beside every figure of a reference.

    Args:
        reference: what was published.
        records: at least two seeds of each optimizer, labelled as there, validated on the published test examples.
    """
    return tuple(
        agreement(figure, [_value(record, figure) for record in records if record.label == figure.optimizer])
        for figure in reference.figures
    )


def agreement(figure: Figure, values: Sequence[float]) -> Agreement:
    """Compare two or more values of ours, one a seed, with a published figure."""
    if not all(map(isfinite, values)):
        return Agreement(figure, nan, nan, len(values), nan)
    ours = stdev(values)
    theirs = ours if figure.deviation is None else figure.deviation
    return Agreement(figure, fmean(values), ours, len(values), _margin(ours, len(values), theirs, SEEDS))


def _margin(sd1: float, n1: int, sd2: float, n2: int) -> float:
    """The half-width of Welch's interval for the difference of two means."""
    a, b = sd1**2 / n1, sd2**2 / n2
    if a + b == 0:
        return 0.0
    freedom = (a + b) ** 2 / (a**2 / (n1 - 1) + b**2 / (n2 - 1))
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * sqrt(a + b)


def _value(record: Record, figure: Figure) -> float:
    """What a run of ours has for a figure; NaN if it did not come so far."""
    if figure.quantity == "train loss":
        return record.outcome.train_loss if record.outcome else nan
    done = [epoch.validation_metric for epoch in record.epochs if epoch.epoch == figure.epoch]
    return done[0] if done else nan
