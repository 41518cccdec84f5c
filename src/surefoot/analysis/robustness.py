"""What an optimizer forgives: how often it diverges, and how far the learning rate may be off.

Sensitivity is read off the validated score against the logarithm of the learning rate, with straight lines between
the rates that were tried. Between a rate that works and one that diverged nothing is assumed to work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surefoot.analysis.settings import Arm
from surefoot.errors import UsageError
from surefoot.statistics.checks import Numbers, positive
from surefoot.statistics.proportions import Proportion, wilson

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Sensitivity:
    """How the score depends on the learning rate, among the rates that were tried.

    `best` is the rate with the best score; from `low` to `high` around it the score stays within the margin without a
    break. `half_width` is half of that in decades: by what power of ten the rate may be off. `share` is that part of
    the whole range tried, in its logarithm, that is within the margin, breaks included. Where `low` or `high` is the
    edge of the range (`open`), the true width is larger.
    """

    best: float
    low: float
    high: float
    half_width: float
    share: float
    open: bool


def divergence_rate(arm: Arm) -> Proportion | None:
    """The share of the arm's trials that diverged, with Wilson's interval; None when none has ended.

    Trials that failed for other reasons, or still run, are not counted.
    """
    return wilson(len(arm.diverged), len(arm.judged)) if arm.judged else None


def rate_sensitivity(
    rates: Sequence[float], scores: Sequence[float], within: float, *, higher: bool = True
) -> Sensitivity:
    """How much the learning rate matters, from a scan of it.

    Use it on scans over the same range for every optimizer to be compared; a share of different ranges compares
    nothing.

    Args:
        rates: learning rates, each once, two at least; in any order.
        scores: the validated score of each (the mean, where there are several seeds), not finite where it diverged.
        within: how far below the best still counts as good, in the unit of the scores.
        higher: whether higher scores are better; False for losses.

    Raises UsageError for rates that are repeated or not above 0, or when all diverged.
    """
    x, y = _sorted(rates, scores, higher)
    threshold = y.max() - positive(within, "within")
    good, width = y >= threshold, np.diff(x)
    part = _good_parts(y, good, threshold)
    best = int(y.argmax())
    first, last = _run(good, best)
    low = x[first] - (part[first - 1] * width[first - 1] if first else 0)
    high = x[last] + (part[last] * width[last] if last < len(x) - 1 else 0)
    return Sensitivity(
        best=float(10 ** x[best]),
        low=float(10**low),
        high=float(10**high),
        half_width=float(high - low) / 2,
        share=float((part * width).sum() / (x[-1] - x[0])),
        open=first == 0 or last == len(x) - 1,
    )


def _good_parts(y: Numbers, good: Flags, threshold: float) -> Numbers:
    """For each stretch between two neighbours, the part of it in which the straight line is above the threshold."""
    left, right = y[:-1], y[1:]
    part = np.where(good[:-1] & good[1:], 1.0, 0.0)
    one = good[:-1] != good[1:]
    part[one] = (np.maximum(left, right)[one] - threshold) / np.abs(right[one] - left[one])
    return part


def _run(good: Flags, best: int) -> tuple[int, int]:
    """The first and last index of the unbroken run of good rates around the best."""
    first = last = best
    while first > 0 and good[first - 1]:
        first -= 1
    while last < len(good) - 1 and good[last + 1]:
        last += 1
    return first, last


def _sorted(rates: Sequence[float], scores: Sequence[float], higher: bool) -> tuple[Numbers, Numbers]:
    """The logarithms of the rates in order, and the scores as "higher is better", minus infinity for the diverged."""
    x, y = np.asarray(rates, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise UsageError(f"{x.shape} rates and {y.shape} scores; expected two rows of one length, 2 at least.")
    if not (np.isfinite(x).all() and (x > 0).all()) or len(np.unique(x)) < len(x):
        raise UsageError(f"learning rates {sorted(rates)}; expected different numbers above 0, one score for each.")
    y = np.where(np.isfinite(y), y if higher else -y, -np.inf)
    if np.isneginf(y).all():
        raise UsageError("every learning rate diverged, so there is none to depart from. Try smaller ones.")
    order = np.argsort(x)
    return np.log10(x[order]), y[order]
