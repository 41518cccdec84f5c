"""The paired permutation test: had the two optimizers been one, each pair of scores could have come out swapped.

Swapping a pair flips the sign of its difference, so the p-value is the share of all sign patterns whose mean is at
least as far from zero as the one seen. All patterns are tried up to 16 pairs; beyond, a seeded sample of them, with
the pattern seen counted among them so that p is never zero and the test stays valid. Ties count in full (no mid-p):
the test errs on the side of "not distinguishable". No spread is estimated and no distribution assumed; the price is a
floor, 2 / 2^n for n pairs.
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
"""Seeds that two optimizers must share before a difference between them is tested."""

EXACT = 16
"""With more pairs than these the sign patterns are sampled."""

DRAWS = 50_000
"""How many are sampled; fewer with more than 400 pairs, where they would take too much memory."""

FEWEST_DRAWS = 10_000
MOST_SIGNS = 20_000_000

BLOCK = 2_000_000
"""Signs that are numbers of double precision at a time."""

Signs = NDArray[np.int8]


def paired_permutation(a: Sequence[float], b: Sequence[float], *, draws: int | None = None, seed: int = 0) -> float:
    """The two-sided p-value of no difference between `a` and `b`, pair by pair, without assuming a distribution.

    Use it for two optimizers that ran with the same seeds; with fewer pairs than `fewest_pairs` it cannot come to a
    verdict, whatever the scores. Adjust for several comparisons with `intervals.holm`.

    Args:
        a: scores of one optimizer; `a[i]` and `b[i]` share a seed.
        b: scores of the other, as many.
        draws: how many random sign patterns are tried beyond 16 pairs; 50,000 unless they take too much memory.
        seed: of these patterns.

    Raises UsageError when the rows differ in length, are empty, or hold a number that is not finite.
    """
    left, right = pairs(a, b)
    gaps = left - right
    exact = len(gaps) <= EXACT
    tried: NDArray[Any] = signs(len(gaps)) if exact else sampled(len(gaps), draws or draws_for(len(gaps)), seed)
    # sums that are equal on paper would compare by their last bit, as the scores were rounded to floats
    rounding = float(np.finfo(np.float64).eps * len(left) * (np.abs(left).sum() + np.abs(right).sum()))
    blocks = np.array_split(tried, ceil(tried.size / BLOCK))
    reached = sum(int(np.count_nonzero(np.abs(some @ gaps) >= abs(gaps.sum()) - rounding)) for some in blocks)
    return reached / len(tried) if exact else (1 + reached) / (1 + len(tried))


def draws_for(pairs: int) -> int:
    """How many sign patterns are drawn for so many pairs: fewer where they would take too much memory."""
    return max(FEWEST_DRAWS, min(DRAWS, MOST_SIGNS // pairs))


@lru_cache(maxsize=4)
def signs(n: int) -> Numbers:
    """All sign patterns of up to 16 pairs, one in each row; the first leaves all as they are.

    A pattern and its opposite give the same distance from zero, so of each two only the one that leaves the first
    pair as it is stands here.
    """
    bits = np.arange(2 ** (n - 1))[:, None] >> np.arange(n)[None, ::-1] & 1
    patterns = 1 - 2 * bits.astype(np.float64)
    patterns.flags.writeable = False  # it is handed to every caller
    return patterns


@lru_cache(maxsize=4)
def sampled(n: int, draws: int, seed: int) -> Signs:
    """Random sign patterns, one in each row; in bytes, as numbers of double precision would take 160 MB."""
    patterns = 1 - 2 * np.random.default_rng(seed).integers(0, 2, (count(draws, "draws"), n), dtype=np.int8)
    patterns.flags.writeable = False
    return patterns


def fewest_pairs(comparisons: int = 1) -> int:
    """The fewest pairs with which one look can find a difference at 5 % after Holm's correction.

    6 pairs for one comparison, 8 for the 6 comparisons of four optimizers, 11 for the 45 of ten.
    """
    return max(1, ceil(1 - log2(PLANNED / count(comparisons, "comparisons"))))
