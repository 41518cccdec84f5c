"""What tuning buys: the expected result of the best of k trials, for every k up to the number that were run.

The trial is chosen by its validation score and counted with its test score; choosing by the test score would show the
luck of the draw as skill. The expectation is over which k of the N trials one would have run, without replacement,
which is unbiased; drawing with replacement is not, and gets worse towards k = N. A trial that diverged is a trial that
was paid for: it is the last to be chosen, and counts with a value that the caller names.
Sources: Dodge et al., EMNLP 2019; Tang et al., ACL 2020 (the bias); Sivaprasad et al., ICML 2020 (CPE, CPU, CPL).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import UsageError, unknown
from surefoot.statistics.checks import Numbers, count, finite, share

Emphasis = Literal["early", "uniform", "late"]
Ranks = NDArray[np.intp]

BLOCK = 256

TINY = 1e-250


@dataclass(frozen=True)
class BudgetCurve:
    """Expected test value of the best of 1, 2, ... N trials, its bootstrap standard `error` and interval.

    The bootstrap knows no trial that is better than the best one seen, so near k = N the interval is too narrow.
    """

    mean: tuple[float, ...]
    error: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def budget_curve(
    validation: Sequence[float],
    test: Sequence[float],
    *,
    higher: bool = True,
    failure: float | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> BudgetCurve:
    """The expected best-of-k curve of one optimizer, with intervals from resampling its trials.

    Use it to compare optimizers at equal tuning budgets. Its trials must be independent draws of the settings (random
    or quasi-random), not the steps of a search that learns.

    Args:
        validation: the figure by which a trial is chosen; not finite for one that diverged.
        test: the figure that counts, for the same trials.
        higher: whether higher is better in `validation`; False for losses.
        failure: what a trial that diverged counts in `test`, such as the accuracy of guessing.
        resamples: bootstrap resamples of the trials.
        seed: of these resamples.
        level: of the intervals.

    Raises UsageError when the rows differ in length, are empty, or a trial diverged and `failure` is not given.
    """
    rank, values = _ordered(validation, test, higher, failure)
    n = len(values)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=count(resamples, "resamples", 100))
    curves = _expected(drawn.astype(np.float64), rank, values)
    tail = (1 - share(level, "level")) / 2
    low, high = np.quantile(curves, [tail, 1 - tail], axis=0)
    mean = _expected(np.ones((1, n)), rank, values)[0]
    error = curves.std(axis=0, ddof=1)
    return BudgetCurve(*(tuple(row.tolist()) for row in (mean, error, low, high)))


def expected_best(
    validation: Sequence[float], test: Sequence[float], *, higher: bool = True, failure: float | None = None
) -> tuple[float, ...]:
    """The mean of `budget_curve` alone: exact, without resampling."""
    rank, values = _ordered(validation, test, higher, failure)
    return tuple(_expected(np.ones((1, len(values))), rank, values)[0].tolist())


def emphasis(kind: Emphasis, n: int) -> tuple[float, ...]:
    """The weights of 1 to n trials: "early" favours small budgets (CPE), "uniform" none (CPU), "late" large ones (CPL).

    They add up to 1.
    """
    trials = np.arange(1, count(n, "n") + 1, dtype=np.float64)
    if kind not in get_args(Emphasis):
        raise unknown("emphasis", kind, get_args(Emphasis))
    raw = {"early": n - trials + 1, "uniform": np.ones(n), "late": trials}[kind]
    return tuple((raw / raw.sum()).tolist())


def cumulative_performance(curve: Sequence[float], kind: Emphasis = "early") -> float:
    """One number for a whole curve of expected bests: its weighted mean (see `emphasis`)."""
    values = finite(curve, "curve")
    return float(values @ emphasis(kind, len(values)))


def _ordered(
    validation: Sequence[float], test: Sequence[float], higher: bool, failure: float | None
) -> tuple[Ranks, Numbers]:
    """The rank of each trial by validation, 0 for the worst and equal for ties, and its test value."""
    chosen, counted = np.asarray(validation, dtype=np.float64), np.asarray(test, dtype=np.float64)
    if chosen.ndim != 1 or chosen.shape != counted.shape or not len(chosen):
        raise UsageError(
            f"validation has shape {chosen.shape} and test {counted.shape}; expected one of each for every trial."
        )
    lost = ~np.isfinite(chosen)
    if lost.any() and failure is None:
        raise UsageError(
            f"{lost.sum()} of {len(lost)} trials diverged. Give failure, the test value that they count, "
            "such as the accuracy of guessing."
        )
    finite(counted[~lost], "test", 0)
    key = np.where(lost, -np.inf, chosen if higher else -chosen)
    return np.unique(key, return_inverse=True)[1], np.where(lost, nan if failure is None else failure, counted)


def _expected(drawn: Numbers, rank: Ranks, values: Numbers) -> Numbers:
    """Expected best of k for each row of `drawn`, which tells how often each trial is in the resample.

    The best of k falls into a rank with the chance that all k are at or below it, less the chance that all are below.
    Within a rank, where validation cannot choose, the test values count with their mean.
    """
    size, total = np.zeros((2, len(drawn), rank.max() + 1))
    row = np.arange(len(drawn))[:, None]
    np.add.at(size, (row, rank), drawn)
    np.add.at(total, (row, rank), drawn * values)
    mean = np.divide(total, size, out=np.zeros_like(total), where=size > 0)
    below = np.concatenate([np.zeros((len(drawn), 1)), size.cumsum(axis=1)], axis=1).astype(np.intp)
    weights = np.zeros((len(drawn), len(values) + 1))
    np.add.at(weights, (row, below[:, 1:]), mean)
    np.subtract.at(weights, (row, below[:, :-1]), mean)
    return np.concatenate([weights @ chances.T for chances in _all_below(len(values))], axis=1)


def _all_below(n: int) -> Iterator[Numbers]:
    """The chance that k of n trials, drawn without replacement, are all among b given ones: a row for each k from 1.

    A column for each b from 0 to n, and the rows in blocks, as all together could take much memory.
    """
    b, chance = np.arange(n + 1.0), np.ones(n + 1)
    for start in range(0, n, BLOCK):
        rows = np.empty((min(BLOCK, n - start), n + 1))
        for i in range(len(rows)):
            chance = chance * np.maximum(b - start - i, 0) / (n - start - i)
            chance[chance < TINY] = 0  # numbers near the smallest a float knows are very slow to multiply
            rows[i] = chance
        yield rows
