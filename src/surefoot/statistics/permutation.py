"""The paired permutation test: if the two optimizers were one, each pair of scores could have come out swapped.

Swapping a pair flips the sign of its difference. So the p-value is the share of all sign patterns whose mean is at
least as far from zero as the one seen. Up to 16 pairs, all patterns are tried; beyond, a seeded sample. The pattern
seen counts among these, so that p is never zero and the test stays valid. Ties count in full (no mid-p): the test errs
towards "not distinguishable". It estimates no spread and assumes no distribution. The price is a least p-value of
2 / 2^n for n pairs.

Sources: Fisher, The Design of Experiments (1935), section 21; Phipson and Smyth, Statistical Applications in Genetics
and Molecular Biology 9 (2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surefoot.statistics.argument_checks import Numbers, count, pairs
from surefoot.statistics.intervals import PLANNED

FEWEST_PAIRS = 5
"""The fewest seeds that two optimizers share for a test of their difference."""

EXACT = 16
"""The most pairs with all sign patterns; beyond, they are sampled."""

DRAWS = 50_000
"""The number of sampled patterns; fewer with more than 400 pairs, which would take too much memory."""

FEWEST_DRAWS = 10_000
MOST_SIGNS = 20_000_000

BLOCK = 500_000
"""The most numbers in double precision at a time: 4 MB."""

Signs = NDArray[np.int8]


def paired_permutation(a: Sequence[float], b: Sequence[float], *, draws: int | None = None, seed: int = 0) -> float:
    """Return the two-sided p-value of no difference between `a` and `b`, pair by pair, for any distribution.

    Use it for two optimizers that ran with the same seeds. With fewer pairs than `fewest_pairs` it cannot find a
    difference, whatever the scores. Adjust for several comparisons with `intervals.holm`.

    Args:
        a: scores of one optimizer; `a[i]` and `b[i]` share a seed.
        b: scores of the other, as many.
        draws: number of random sign patterns beyond 16 pairs; 50,000 unless these take too much memory.
        seed: seed of these patterns.

    Raises:
        UsageError: the rows differ in length, are empty, or have a number that is not finite.
    """
    left, right = pairs(a, b)
    gaps = left - right
    exact = len(gaps) <= EXACT
    tried: NDArray[Any] = signs(len(gaps)) if exact else sampled(len(gaps), draws or draws_for(len(gaps)), seed)
    rounding = rounding_of(left, right)
    blocks = np.array_split(tried, ceil(tried.size / BLOCK))
    reached = sum(int(np.count_nonzero(np.abs(some @ gaps) >= abs(gaps.sum()) - rounding)) for some in blocks)
    return reached / len(tried) if exact else (1 + reached) / (1 + len(tried))


def rounding_of(left: Numbers, right: Numbers) -> float:
    """Return the rounding error of sums of differences: those equal on paper may differ by this."""
    return float(np.finfo(np.float64).eps * len(left) * (np.abs(left).sum() + np.abs(right).sum()))


def draws_for(pairs: int) -> int:
    """Return how many sign patterns to draw for so many pairs: fewer where they would take too much memory."""
    return max(FEWEST_DRAWS, min(DRAWS, MOST_SIGNS // pairs))


@lru_cache(maxsize=4)
def signs(n: int) -> Numbers:
    """Return all sign patterns of up to 16 pairs, one in each row; the first one changes nothing.

    A pattern and its opposite give the same distance from zero. So only patterns that keep the first pair are here.
    """
    bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n)[None, ::-1] & 1
    patterns = 1 - 2 * bits.astype(np.float64)
    patterns.flags.writeable = False  # it is handed to every caller
    return patterns


@lru_cache(maxsize=4)
def sampled(n: int, draws: int, seed: int) -> Signs:
    """Return random sign patterns, one in each row; in bytes, as double precision would take 160 MB."""
    patterns = 1 - 2 * np.random.default_rng(seed).integers(0, 2, (count(draws, "draws"), n), dtype=np.int8)
    patterns.flags.writeable = False
    return patterns


def fewest_pairs(comparisons: int = 1) -> int:
    """Return the fewest pairs with which one look can find a difference.

    At 5 % after Holm's correction they are 6 for one comparison, 8 for the 6 comparisons of four optimizers, and 11 for
    the 45 of ten.
    """
    return max(1, ceil(1 - log2(PLANNED / count(comparisons, "comparisons"))))
