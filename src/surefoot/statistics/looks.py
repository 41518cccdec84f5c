"""Looks: the paired permutation test, several times while seeds come in, at one alpha.

A test after 5 seeds, and again after 7, has two chances of a false finding. So alpha is spent over the looks (Lan and
DeMets). At each look the alpha spent so far limits how many sign patterns may lead to a finding, those beyond an
earlier bound included. Every look is exact: the bounds depend on the sizes of the differences alone, and swapping a
pair keeps these. Looks may come at any number of seeds that was not chosen by the differences. Looks beyond the plan
share what is held back for them: each has half of what is left.

Sources: Lan and DeMets, Biometrika 70 (1983); O'Brien and Fleming, Biometrics 35 (1979); Pocock, Biometrika 64 (1977).
Holm's correction takes these p-values like any others: Maurer and Bretz, Statistics in Biopharmaceutical Research 5
(2013).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, takewhile
from math import e, floor, log, sqrt

import numpy as np
from scipy import special

from surefoot.errors import Argument, UsageError
from surefoot.statistics.argument_checks import Numbers, count, pairs
from surefoot.statistics.intervals import ALPHA, HELD_BACK, paired_difference
from surefoot.statistics.permutation import (
    DRAWS,
    EXACT,
    FEWEST_PAIRS,
    MOST_SIGNS,
    Signs,
    draws_for,
    paired_permutation,
    rounding_of,
    signs,
)
from surefoot.store.looks import Spending

SPENDING: dict[Spending, Callable[[float, float], float]] = {
    "obrien-fleming": lambda alpha, t: 2 * float(special.ndtr(special.ndtri(alpha / 2) / sqrt(t))),
    "pocock": lambda alpha, t: alpha * log(1 + (e - 1) * t),
    "linear": lambda alpha, t: alpha * t,
}
"""The alpha spent when a share `t` of the planned seeds is in: little at first, nearly evenly, or in proportion."""


def read_spending(text: str) -> Spending:
    """Return the way of spending of this name; `UsageError` if there is none."""
    for name in SPENDING:
        if name == text:
            return name
    raise UsageError(Argument("spending"), f" is {text!r}; give one of {', '.join(SPENDING)}.")


@dataclass(frozen=True)
class Looks:
    """The looks at a pair, and how they spend alpha.

    Attributes:
        at: number of seeds at each look, the present one last.
        planned: the most seeds of the plan.
        assumed: number of first looks that had too few seeds for the permutation test, and took the t-test.
        spending: one of `SPENDING`.
        due: planned number of seeds at each look; empty means `at`. What is spent follows from these, so a failed trial
            or an arm that left changes no bound.
    """

    at: tuple[int, ...]
    planned: int
    assumed: int = 0
    spending: Spending = "obrien-fleming"
    due: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        read_spending(self.spending)
        if not self.at or self.at[0] < 1 or any(later <= earlier for earlier, later in pairwise(self.at)):
            raise UsageError(f"looks at {self.at} seeds; expected whole numbers from 1 that rise.")
        count(self.planned, "planned")
        if self.due and len(self.due) != len(self.at):
            raise UsageError(f"{len(self.due)} looks were due, and there are {len(self.at)}; expected as many.")

    def spent(self, alpha: float) -> tuple[float, ...]:
        """Return the alpha spent at each look, all looks before it included."""
        beyond, made = 0, []
        for seeds in self.due or self.at:
            beyond += seeds > self.planned
            made.append(_spent(alpha, seeds / self.planned, self.spending, beyond))
        return tuple(made)


def _spent(alpha: float, t: float, spending: Spending, beyond: int = 0) -> float:
    """Return the alpha spent at a share `t` of the planned seeds; `beyond` counts looks after these."""
    extra = HELD_BACK * alpha * (1 - 0.5**beyond)
    return SPENDING[spending]((1 - HELD_BACK) * alpha, min(1.0, t)) + extra


SOME = 5
"""The fewest drawn sign patterns that a bound leaves beyond it; with none nothing could be found."""

MOST_LOOKS = 4
"""The most looks that `auto` plans: more save little, and each costs power."""


def first_look(seeds: int, spending: Spending, comparisons: int = 1) -> int:
    """Return the fewest of the planned seeds at which a look can find a difference; all of them if none before can.

    Args:
        seeds: the most seeds, those of the last look.
        spending: one of `SPENDING`.
        comparisons: number of pairs that are tested together.
    """
    level = ALPHA / count(comparisons, "comparisons")
    fewest = range(min(FEWEST_PAIRS, seeds), seeds)
    return next((n for n in fewest if 2.0 ** (1 - n) <= _spent(level, n / seeds, spending)), seeds)


def even_looks(seeds: int, spending: Spending, comparisons: int = 1) -> tuple[int, ...]:
    """Return up to `MOST_LOOKS` evenly spaced looks, from `first_look` to the most seeds."""
    first = first_look(seeds, spending, comparisons)
    return tuple(sorted({round(at) for at in np.linspace(first, seeds, MOST_LOOKS)}))


LEVELS: tuple[float, ...] = tuple(
    sorted({0.9**k for k in range(1, 29)} | {ALPHA / k for k in range(1, 200)} | {2.5e-4 * 0.9**k for k in range(99)})
)[::-1]
"""The levels at which a difference is tested, from the highest. 5 % over whole numbers are among them, for Holm."""


def p_value(a: Sequence[float], b: Sequence[float], looks: Looks, comparisons: int = 1) -> float:
    """Return the two-sided p-value of no difference between `a` and `b` at the last of these looks.

    With a single look, after all planned seeds, it is that of `paired_permutation` over the share of alpha that is not
    held back. Else it is the least of `LEVELS` at which this or an earlier look finds a difference, at all higher
    levels too: it only falls from look to look. Looks with too few seeds have a p-value of their own, `assumed_p`.
    Adjust for several comparisons with `intervals.holm`.

    Args:
        a: scores of one optimizer in the order in which seeds came; `a[i]` and `b[i]` share a seed.
        b: scores of the other, as many.
        looks: number of these pairs at each look; all at the last one.
        comparisons: number of p-values that are adjusted together; more of them need more sign patterns.

    Raises:
        UsageError: the rows differ in length, or from the last look.
    """
    left, right = pairs(a, b)
    if looks.at[-1] != len(left):
        raise UsageError(f"a and b have {len(left)} values; expected {looks.at[-1]}, as at the last look.")
    if (looks.due or looks.at) == (looks.planned,):
        return min(1.0, paired_permutation(a, b) / (1 - HELD_BACK))
    rounding = rounding_of(left, right)
    return _least_level(tuple((left - right).tolist()), looks, count(comparisons, "comparisons"), rounding)


@lru_cache(maxsize=1024)
def _least_level(gaps: tuple[float, ...], looks: Looks, comparisons: int, rounding: float) -> float:
    """Return the p-value of these differences; cached, as later looks test pairs without new seeds again."""
    tables = _distances(np.array(gaps), looks, comparisons, rounding)
    reached = takewhile(lambda level: _reached(*tables, _shares(looks, level), rounding), LEVELS)
    return min(reached, default=1.0)


def assumed_p(a: Sequence[float], b: Sequence[float], looks: Looks, resolution: float = 0.0) -> float:
    """Return the p-value of the t-tests, at the looks with too few seeds for the permutation test; 1 without any.

    What a t-test found stays found: its share of alpha is spent, and the permutation test has what is left.

    Args:
        a: scores of one optimizer, as in `p_value`.
        b: scores of the other.
        looks: number of these pairs at each look.
        resolution: smallest step of a score; the spread of the differences is never taken to be smaller.
    """
    parts = list(zip(looks.at, pairwise((0.0, *looks.spent(ALPHA))), strict=True))[: looks.assumed]
    found = [
        paired_difference(a[:seeds], b[:seeds], resolution).p * ALPHA / (now - before)
        for seeds, (before, now) in parts
        if now > before
    ]
    return min(1.0, *found) if found else 1.0


@lru_cache(maxsize=4096)
def _shares(looks: Looks, level: float) -> tuple[float, ...]:
    """Return the share of sign patterns that each look may find, less what t-tests spent, in proportion."""
    assumed = (0.0, *looks.spent(ALPHA))[looks.assumed] * level / ALPHA
    return tuple(share - assumed for share in looks.spent(level)[looks.assumed :])


def _distances(gaps: Numbers, looks: Looks, comparisons: int, rounding: float) -> tuple[list[Numbers], int]:
    """Return how far from zero each sign pattern's sum is at each look, the pattern seen first; and their number.

    A pattern that is nearer than the one seen at every look decides nothing, and is left out. A study with many planned
    seeds samples its patterns from the first look on, so that what is found once stays found.
    """
    n, at = len(gaps), looks.at[looks.assumed :]
    most = max(n, looks.planned if looks.due else n)
    draws = 2 ** (n - 1) if most <= EXACT else _draws(looks, comparisons, most)
    every = [np.abs(signs(n)[:, :m] @ gaps[:m]) for m in at] if most <= EXACT else _sampled(gaps, at, draws)
    rivals = np.any([distances >= distances[0] - 2 * rounding for distances in every], axis=0)
    return [distances[rivals] for distances in every], draws


def _draws(looks: Looks, comparisons: int, pairs: int) -> int:
    """Return how many patterns to draw: doubled until the strictest bound of the last look has some beyond it."""
    *_, before, now = (0.0, *looks.spent(ALPHA / comparisons))
    draws = draws_for(pairs)
    while draws * (now - before) < SOME and 2 * draws * pairs <= MOST_SIGNS:
        draws *= 2
    return draws


def _sampled(gaps: Numbers, at: Sequence[int], draws: int) -> list[Numbers]:
    """Return how far from zero the sum under each random sign pattern is, at each look."""
    found, sums = [], np.zeros(draws)
    for pair, gap in enumerate(gaps):
        sums += _turned(pair, draws) * gap
        if pair + 1 in at:
            found.append(np.abs(sums))
    return found


def drawn(n: int, draws: int = DRAWS) -> Signs:
    """Return random sign patterns, the unchanged one first; patterns of fewer pairs are the beginning of these."""
    return np.stack([_turned(pair, draws) for pair in range(n)], axis=1)


@lru_cache(maxsize=512)
def _turned(pair: int, draws: int) -> Signs:
    """Return the sign of a pair in each random pattern, in bytes: 400 pairs take 20 MB, and 160 MB as floats."""
    column = 1 - 2 * np.random.default_rng([0, pair]).integers(0, 2, draws, dtype=np.int8)
    column[0] = 1
    column.flags.writeable = False  # it is handed to every caller
    return column


def _reached(tables: Sequence[Numbers], patterns: int, spent: Sequence[float], rounding: float) -> bool:
    """Return whether the pattern seen, the first, is beyond the bound of any look."""
    beyond = np.zeros(len(tables[0]), dtype=bool)
    for distances, share in zip(tables, spent, strict=True):
        allowed = floor(share * patterns * (1 + 1e-12)) - int(beyond.sum())
        if allowed > 0:
            beyond |= distances > _nearest(distances[~beyond], allowed) + rounding
    return bool(beyond[0])


def _nearest(distances: Numbers, allowed: int) -> float:
    """Return the farthest distance that must stay within the bound, if so many may be beyond it."""
    return float(np.partition(distances, -allowed - 1)[-allowed - 1]) if allowed < len(distances) else -1.0
