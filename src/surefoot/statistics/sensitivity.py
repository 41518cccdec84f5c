"""Sensitivity to the learning rate: how far it may be off, and how much of what was tried was good.

It is read off the validation score against the logarithm of the rate, with straight lines between the tried rates.
Between a rate that works and one that diverged, none is assumed to work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import UsageError
from surefoot.statistics.argument_checks import Numbers, positive

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Sensitivity:
    """The sensitivity of the score to the learning rate, among the tried rates.

    Attributes:
        best: the rate with the best score.
        low: from `low` to `high` around the best, the score stays within the margin.
        half_width: half of that range in decades, as powers of ten that the rate may be off.
        share: part of the tried range, on a logarithmic axis, with a score within the margin, wherever it lies.
        open: whether `low` or `high` is the edge of the tried range; the true width is then larger.
    """

    best: float
    low: float
    high: float
    half_width: float
    share: float
    open: bool


@dataclass(frozen=True)
class GoodRates:
    """The share of the tried learning rates that is nearest to a good trial.

    The axis is logarithmic and `decades` wide. The metric of a good trial is `within` this much of the best.
    """

    share: float
    decades: float
    within: float


def rate_sensitivity(
    rates: Sequence[float], scores: Sequence[float], within: float, *, higher: bool = True
) -> Sensitivity:
    """Return the sensitivity of the score to the learning rate, from a scan.

    Scan the same range for every optimizer: shares of different ranges compare nothing.

    Args:
        rates: at least two different learning rates, in any order.
        scores: validation score of each, a mean over several seeds; not finite where it diverged.
        within: distance from the best that still counts as good, in the unit of the scores.
        higher: whether higher scores are better; False for losses.

    Raises:
        UsageError: rates are repeated or not above 0, or all diverged.
    """
    x, y = np.asarray(rates, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise UsageError(f"{x.shape} rates and {y.shape} scores; expected two rows of one length, 2 at least.")
    if not (np.isfinite(x).all() and (x > 0).all()) or len(np.unique(x)) < len(x):
        raise UsageError(f"learning rates {sorted(rates)}; expected different numbers above 0, one score for each.")
    if not np.isfinite(y).any():
        raise UsageError("every learning rate diverged, so there is none to start from. Try smaller ones.")
    x, y = _sorted(x, y, higher)
    threshold = y.max() - positive(within, "within")
    good, width = y >= threshold, np.diff(x)
    part = _good_parts(y, good, threshold)
    best = int(y.argmax())
    bad = np.flatnonzero(~good)
    first, last = max(bad[bad < best], default=-1) + 1, min(bad[bad > best], default=len(x)) - 1
    low = x[first] - (part[first - 1] * width[first - 1] if first else 0)
    high = x[last] + (part[last] * width[last] if last < len(x) - 1 else 0)
    return Sensitivity(
        best=float(10 ** x[best]),
        low=float(10**low),
        high=float(10**high),
        half_width=float(high - low) / 2,
        share=float((part * width).sum() / (x[-1] - x[0])),
        open=bool(first == 0 or last == len(x) - 1),
    )


def good_rates(
    rates: Sequence[float], scores: Sequence[float], within: float, *, higher: bool = True
) -> GoodRates | None:
    """Return the share of good rates, where each trial stands for the rates nearest to it.

    It takes the arguments of `rate_sensitivity`, but rates may repeat. None without two different rates, or if all
    diverged.
    """
    if len(set(rates)) < 2 or not np.isfinite(scores).any():
        return None
    x, y = _sorted(np.asarray(rates), np.asarray(scores), higher)
    ends = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    decades = float(x[-1] - x[0])
    return GoodRates(float(np.diff(ends)[y >= y.max() - within].sum()) / decades, decades, within)


def _sorted(rates: Numbers, scores: Numbers, higher: bool) -> tuple[Numbers, Numbers]:
    """Return the sorted logarithms of the rates, and the scores as "higher is better"; -inf where it diverged."""
    order = np.argsort(rates, kind="stable")
    return np.log10(rates[order]), np.where(np.isfinite(scores), scores if higher else -scores, -np.inf)[order]


def _good_parts(y: Numbers, good: Flags, threshold: float) -> Numbers:
    """Return the part of each stretch between neighbours in which the straight line is above the threshold."""
    left, right = y[:-1], y[1:]
    part = np.where(good[:-1] & good[1:], 1.0, 0.0)
    one = good[:-1] != good[1:]
    part[one] = (np.maximum(left, right)[one] - threshold) / np.abs(right[one] - left[one])
    return part
