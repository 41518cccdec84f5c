"""A proportion seen in a sample: k of n, with an interval of the true share.

Two intervals serve two needs. Wilson's is right on average, for a figure in a report. Clopper and Pearson's never
covers less than it says, for a claim about Surefoot itself.

Sources: Wilson, JASA 22 (1927); Clopper and Pearson, Biometrika 26 (1934).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import special, stats

from surefoot.errors import UsageError
from surefoot.statistics.argument_checks import count, pairs
from surefoot.statistics.intervals import LEVEL


@dataclass(frozen=True)
class Proportion:
    """A proportion: `value` is `hits` / `of`, from `low` to `high` its 95 % interval. A tie can be half a hit."""

    value: float
    low: float
    high: float
    hits: float
    of: int


def wilson(hits: float, of: int) -> Proportion:
    """Return the proportion with Wilson's 95 % score interval. It holds its level on average, even for 0 of 5."""
    if not 0 <= hits <= count(of, "of"):
        raise UsageError(f"{hits} of {of} is no proportion; expected between 0 and {of}.")
    z = float(special.ndtri((1 + LEVEL) / 2))
    middle = (hits + z * z / 2) / (of + z * z)
    half = z * sqrt(hits * (of - hits) / of + z * z / 4) / (of + z * z)
    low, high = (0.0 if hits == 0 else middle - half), (1.0 if hits == of else middle + half)
    return Proportion(hits / of, low, high, hits, of)


def clopper_pearson(hits: int, of: int, level: float = LEVEL) -> Proportion:
    """Return the proportion with the exact binomial interval. It covers at least its level, for any true share."""
    found = stats.binomtest(hits, of).proportion_ci(level, "exact")
    return Proportion(hits / of, float(found.low), float(found.high), hits, of)


def paired_superiority(a: Sequence[float], b: Sequence[float]) -> Proportion:
    """Return the share of seeds with which `a` beats `b`, with Wilson's interval; a tie counts half.

    `a[i]` and `b[i]` share a seed. Higher values beat lower ones; for losses swap the arguments. Ties scatter less than
    wins and losses, so with ties the interval is rather too wide.
    """
    left, right = pairs(a, b)
    wins = float(np.count_nonzero(left > right) + 0.5 * np.count_nonzero(left == right))
    return wilson(wins, len(left))
