"""What tuning buys: the expected result of the best of k trials, for every k up to the number that were run.

The expectation is over all choices of k from the N trials without replacement, which is unbiased. Drawing with
replacement is biased, most of all near k = N. A trial that diverged was paid for: it is the last to be chosen, and
counts with a value that the caller names.

Sources: Dodge et al., EMNLP 2019; Tang et al., ACL 2020 (the bias); Sivaprasad et al., ICML 2020 (CPE, CPU, CPL).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import UsageError
from surefoot.statistics.argument_checks import Numbers, count, finite
from surefoot.statistics.intervals import LEVEL

Places = NDArray[np.intp]

BLOCK = 256

TINY = 1e-250


@dataclass(frozen=True)
class BudgetCurve:
    """The expected score of the best of 1, 2, ... N trials, with its bootstrap standard `error` and 95 % interval.

    The bootstrap has no trial better than the best one seen, so near k = N the interval is too narrow.
    """

    mean: tuple[float, ...]
    error: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Cumulative:
    """The mean height of a curve of expected bests: `early` favours small budgets, `uniform` none, `late` large ones.

    These are CPE, CPU and CPL of Sivaprasad et al., ICML 2020.
    """

    early: float
    uniform: float
    late: float


def budget_curve(
    scores: Sequence[float], *, higher: bool = True, failure: float | None = None, resamples: int = 2000, seed: int = 0
) -> BudgetCurve:
    """Return the expected best-of-k curve of one optimizer, with intervals from resampling its trials.

    Use it to compare optimizers at equal tuning budgets. The trials must be independent draws of the settings (random
    or quasi-random), not the steps of a search that learns.

    Args:
        scores: one figure for each trial; not finite for one that diverged.
        higher: whether higher is better; False for losses.
        failure: score that a diverged trial counts, such as the accuracy of guessing.
        resamples: number of bootstrap resamples, at least 100.
        seed: seed of these resamples.

    Raises:
        UsageError: there are no scores, or a trial diverged and `failure` is None.
    """
    rank, values = _ranked(scores, higher, failure)
    n = len(values)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=count(resamples, "resamples", 100))
    curves = _expected(drawn.astype(np.float64), rank, values)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(curves, [tail, 1 - tail], axis=0)
    rows = (_expected(np.ones((1, n)), rank, values)[0], curves.std(axis=0, ddof=1), low, high)
    return BudgetCurve(*(tuple(row.tolist()) for row in rows))


def cumulative(curve: Sequence[float]) -> Cumulative:
    """Return three means of a curve of expected bests: with weights N to 1, equal weights, and weights 1 to N."""
    values = finite(curve, "curve")
    trials = np.arange(1.0, len(values) + 1)
    weights = (trials[::-1], np.ones_like(trials), trials)
    return Cumulative(*(float(values @ (weight / weight.sum())) for weight in weights))


def _ranked(scores: Sequence[float], higher: bool, failure: float | None) -> tuple[Places, Numbers]:
    """Return the rank of each trial, 0 for the worst, and its score; ties share a rank."""
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise UsageError(f"scores has shape {array.shape}; expected one for every trial.")
    lost = ~np.isfinite(array)
    if lost.any() and failure is None:
        raise UsageError(
            f"{lost.sum()} of {len(lost)} trials diverged. Give failure, the score that they count, "
            "such as the accuracy of guessing."
        )
    key = np.where(lost, -np.inf, array if higher else -array)
    return np.unique(key, return_inverse=True)[1], np.where(lost, nan if failure is None else failure, array)


def _expected(drawn: Numbers, rank: Places, values: Numbers) -> Numbers:
    """Return the expected best of k for each row of `drawn`, a resample.

    A row counts how often each trial is in it. The best of k has a rank with the chance that all k are at or below it,
    less the chance that all are below.
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
    """Yield the chances that k of n trials, drawn without replacement, are all among b given ones.

    There is a row for each k from 1, and a column for each b from 0 to n. Rows come in blocks, to save memory.
    """
    b, chance = np.arange(n + 1.0), np.ones(n + 1)
    for start in range(0, n, BLOCK):
        rows = np.empty((min(BLOCK, n - start), n + 1))
        for i in range(len(rows)):
            chance = chance * np.maximum(b - start - i, 0) / (n - start - i)
            chance[chance < TINY] = 0  # numbers near the smallest a float knows are very slow to multiply
            rows[i] = chance
        yield rows
