"""How often one optimizer beats another: P(A beats B), which needs no unit and no mean.

Two questions that are easily confused. `superiority`: a run of A against any run of B, each with its own luck
(Mann and Whitney's U over n m, ties half). `paired_superiority`: A against B with the same seed, which takes the luck
that both share out of the question. Higher values beat lower ones; for losses swap the arguments.
Sources: Newcombe, Statistics in Medicine 25 (2006) 559-573, method 5, for U / n m; Wilson (1927) for the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import numpy as np
from scipy import optimize, stats

from surefoot.analysis.checks import finite, pairs, share
from surefoot.analysis.proportions import Proportion, wilson


def superiority(a: Sequence[float], b: Sequence[float], *, level: float = 0.95) -> Proportion:
    """The probability that a run of `a` beats a run of `b`, ties half, with its interval.

    Use it for two optimizers over seeds, of different number if need be. Where they share seeds the interval is too
    wide rather than too narrow, as what they share makes U steadier. It is honest at the edges: ten runs that all
    beat ten others give 1, not a certainty.

    Returns the proportion of the n m pairs of runs; its `hits` are U.
    """
    left, right = finite(a, "a"), finite(b, "b")
    u = float(np.count_nonzero(left[:, None] > right) + 0.5 * np.count_nonzero(left[:, None] == right))
    of = len(left) * len(right)
    z = float(stats.norm.ppf((1 + share(level, "level")) / 2))
    low = _lower(u / of, len(left), len(right), z)
    return Proportion(u / of, low, 1 - _lower(1 - u / of, len(left), len(right), z), u, of)


def paired_superiority(a: Sequence[float], b: Sequence[float], *, level: float = 0.95) -> Proportion:
    """The share of seeds with which `a` beats `b`, ties half, with Wilson's interval; `a[i]` and `b[i]` share a seed.

    Ties scatter less than wins and losses, so with ties the interval is too wide rather than too narrow.
    """
    left, right = pairs(a, b)
    wins = float(np.count_nonzero(left > right) + 0.5 * np.count_nonzero(left == right))
    return wilson(wins, len(left), level)


def _lower(seen: float, n: int, m: int, z: float) -> float:
    """The smallest probability from which the one seen is z standard errors away, those of that probability."""
    if seen == 0:
        return 0.0
    top = min(seen, 1 - 1e-9)  # at 1 the standard error is 0, which solves the equation without being the answer
    return float(optimize.brentq(lambda theta: seen - theta - z * sqrt(_variance(theta, n, m)), 0, top))


def _variance(theta: float, n: int, m: int) -> float:
    """Newcombe's variance of U / n m, with both samples given the mean of their sizes."""
    spread = (1 - theta) / (2 - theta) + theta / (1 + theta)
    return theta * (1 - theta) * (1 + ((n + m) / 2 - 1) * spread) / (n * m)
