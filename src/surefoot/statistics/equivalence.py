"""Equal within a margin, and not worse by it: one-sided paired t-tests, two of which show equality (TOST).

Finding no difference does not show that there is none. An interval of the mean difference inside the margin does. Half
of alpha is for the planned looks, so that one pair at one look is equal where its 95 % interval lies within the margin.
Each later look has half of what is left. A look spends its own share (Bonferroni over looks), whatever the others
found, and what was shown once stays shown.

Sources: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15 (1987); Shaffer, JASA 81 (1986).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import sqrt

from scipy import special

from surefoot.statistics.intervals import ALPHA, one_sided
from surefoot.statistics.looks import SPENDING, Looks

RESERVE = 0.5
"""The share of alpha for seeds that users add after the planned looks, as an open question invites."""

POWER = 0.8
MOST_SEEDS = 1000
"""The most seeds in all that a forecast says: users would not run more."""


def short_of(leads: Sequence[float], looks: Looks, resolution: float = 0.0) -> float:
    """Return the one-sided p-value of a mean of 0 or less, after all of these looks.

    Args:
        leads: lead of one optimizer over the other, plus the margin, in the order in which seeds came.
        looks: number of these at each look.
        resolution: smallest step of a score; the spread of the leads is never taken to be smaller.
    """
    found = zip(looks.at, shares(looks), strict=True)
    return min(1.0, *(one_sided(leads[:seeds], resolution) * ALPHA / share for seeds, share in found if share > 0))


def adjusted(pairs: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the two p-values of each pair after Holm's step-down, which corrects for pairs only.

    Twice as many tests need no stricter correction. Two optimizers cannot each be worse than the other, so at most one
    of a pair's two hypotheses is true (Shaffer).
    """
    order = sorted((p, pair, side) for pair, both in enumerate(pairs) for side, p in enumerate(both))
    left, worst, found = Counter(dict.fromkeys(range(len(pairs)), 2)), 0.0, {}
    for p, pair, side in order:
        worst = max(worst, min(1.0, p * sum(count > 0 for count in left.values())))
        found[pair, side] = worst
        left[pair] -= 1
    return [(found[pair, 0], found[pair, 1]) for pair in range(len(pairs))]


def seeds_to_tell(gap: float, spread: float, margin: float, level: float) -> int | None:
    """Return the seeds, in all, that would most likely show equality within the margin, or one ahead.

    With these seeds four studies of five would decide, if `gap` and `spread` were the true values. None for more than
    `MOST_SEEDS`.

    Args:
        gap: mean difference that was seen.
        spread: standard deviation of the differences, above 0.
        margin: margin, in the unit of both.
        level: level of each one-sided test; a difference is tested at twice this, on both sides.
    """

    def tells(seeds: int) -> bool:
        bound = float(special.stdtrit(seeds - 1, 1 - level))
        root = sqrt(seeds) / spread
        missed = [_below(bound, seeds, distance * root) for distance in (margin - abs(gap), margin + abs(gap))]
        return sum(missed) <= 1 - POWER or _below(bound, seeds, abs(gap) * root) <= 1 - POWER

    low, high = 1, 2
    while not tells(high):
        low, high = high, 2 * high
        if low > MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if tells(middle) else (middle, high)
    return high if high <= MOST_SEEDS else None


def next_level(looks: Looks) -> float:
    """Return the share of alpha for the next look: all that the plan has left, or half of what is held back."""
    spent, planned = sum(shares(looks)), (1 - RESERVE) * ALPHA
    return planned - spent if (looks.due or looks.at)[-1] < looks.planned else (ALPHA - spent) / 2


def shares(looks: Looks) -> list[float]:
    """Return how much of alpha each look may spend."""
    planned, spent, found = (1 - RESERVE) * ALPHA, 0.0, []
    for seeds in looks.due or looks.at:
        within = seeds <= looks.planned
        share = SPENDING[looks.spending](planned, seeds / looks.planned) - spent if within else (ALPHA - spent) / 2
        found.append(share)
        spent += share
    return found


def _below(bound: float, seeds: int, shift: float) -> float:
    """Return the chance of a t below a bound, if the true mean is `shift` standard errors."""
    return float(special.nctdtr(seeds - 1, shift, bound))
