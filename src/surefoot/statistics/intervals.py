"""Means with intervals, paired differences, and Holm's correction.

Intervals use Student's t, never 1.96: a study has 3 to 20 seeds. Differences are taken seed by seed. Two optimizers
with the same seed share their initial weights and batch order, and what they share cancels. Holm's correction needs
nothing but valid p-values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan, isqrt, nan, sqrt
from statistics import fmean

import numpy as np
from scipy import special  # much quicker than the same in scipy.stats

LEVEL = 0.95
ALPHA = 0.05

HELD_BACK = 1 / 16
"""The share of alpha for looks beyond a plan: the largest that costs no seed in families of 1, 3 and 6 pairs."""

PLANNED = ALPHA * (1 - HELD_BACK)
"""The alpha that a study spends on its planned looks."""


@dataclass(frozen=True)
class Interval:
    """A mean over `n` seeds and its t interval.

    With one seed `low` and `high` are None. If a value is not finite, they are None and the mean is NaN.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class PairedDifference:
    """The mean of `n` paired differences, its 95 % t interval and two-sided p-value; both are unadjusted."""

    mean: float
    low: float
    high: float
    p: float
    n: int


def t_interval(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """Return the mean of the values with its t interval; None without values.

    Use it for one figure of one optimizer over seeds. Overlapping intervals do not compare two optimizers: use
    `paired_difference`.
    """
    if not values:
        return None
    mean = fmean(values) if all(map(isfinite, values)) else nan
    if len(values) == 1 or isnan(mean):
        return Interval(mean, None, None, len(values))
    half = _t_quantile(len(values), level) * deviation(values) / sqrt(len(values))
    return Interval(mean, mean - half, mean + half, len(values))


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation of at least two finite values, rounded once.

    It equals `statistics.stdev` and takes a fifth of its time: floats are whole numbers of one small step.
    """
    ratios = [value.as_integer_ratio() for value in values]
    n, steps = len(ratios), max(below for _, below in ratios)
    whole = [above * (steps // below) for above, below in ratios]
    squares, parts = n * sum(x * x for x in whole) - sum(whole) ** 2, n * (n - 1) * steps**2
    digits = max(0, 110 + (parts.bit_length() - squares.bit_length()) // 2)
    return isqrt((squares << 2 * digits) // parts) / (1 << digits)


def paired_difference(a: Sequence[float], b: Sequence[float], resolution: float = 0.0) -> PairedDifference:
    """Return the mean of `a[i] - b[i]` with its t interval and p-value.

    `a[i]` and `b[i]` share a seed; there are at least two pairs. `resolution` is the smallest step of a value: 1 / test
    images for an accuracy. The spread is never taken to be smaller: equal differences by chance prove nothing.
    """
    gaps = [x - y for x, y in zip(a, b, strict=True)]
    n = len(gaps)
    mean, spread = fmean(gaps), max(deviation(gaps), resolution)
    error = spread / sqrt(n)
    half = _t_quantile(n) * error
    t = abs(mean) / error if error > 0 else (inf if mean else 0.0)
    return PairedDifference(mean, mean - half, mean + half, float(2 * special.stdtr(n - 1, -t)), n)


def one_sided(leads: Sequence[float], resolution: float) -> float:
    """Return the p-value of a mean of 0 or less, by Student's t; `resolution` is as in `paired_difference`."""
    mean, spread = fmean(leads), max(deviation(leads), resolution)
    t = mean * sqrt(len(leads)) / spread if spread else (inf if mean > 0 else -inf)
    return float(special.stdtr(len(leads) - 1, -t))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's step-down adjusted p-values, in the order given.

    If all at most 0.05 are rejected, the chance of even one false rejection is at most 5 %.
    """
    count = len(p_values)
    order = np.argsort(p_values, kind="stable")
    adjusted, worst = [0.0] * count, 0.0
    for rank, index in enumerate(order):
        worst = max(worst, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = worst
    return adjusted


def _t_quantile(n: int, level: float = LEVEL) -> float:
    return float(special.stdtrit(n - 1, (1 + level) / 2))
