"""Whether runs of ours agree with published figures.

A figure agrees if the difference of the means lies within its Welch 99 % interval, in which the standard errors of both
sides count; so of a hundred figures that truly agree, one is marked as not. Where the logs' spread over seeds is not
known to us it is taken to be ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from statistics import fmean, stdev

from scipy import stats

from surefoot.analysis.published import SEEDS, Publication, PublishedFigure
from surefoot.store import Record

LEVEL = 0.99


@dataclass(frozen=True)
class Agreement:
    """A published figure beside ours: mean and deviation over `n` seeds of ours, and how far the means may differ.

    All are NaN if a run of ours diverged.
    """

    figure: PublishedFigure
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


def agreements(reference: Publication, records: Sequence[Record]) -> tuple[Agreement, ...]:
    """Put runs of ours beside every figure of a reference.

    Args:
        reference: what was published.
        records: at least two seeds of each optimizer, labelled as there, validated on the published test examples.
    """
    return tuple(
        agreement(figure, [_value(record, figure) for record in records if record.label == figure.optimizer])
        for figure in reference.figures
    )


def agreement(figure: PublishedFigure, values: Sequence[float]) -> Agreement:
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


def _value(record: Record, figure: PublishedFigure) -> float:
    """What a run of ours has for a figure; NaN if it did not come so far."""
    if figure.quantity == "train loss":
        return record.outcome.train_loss if record.outcome else nan
    done = [epoch.validation_metric for epoch in record.epochs if epoch.epoch == figure.epoch]
    return done[0] if done else nan
