"""Closeness: whether two optimizers are equal within a margin, or one is not worse by it.

These questions have an error rate of 5 % of their own, beside that of differences. It covers all pairs of a family, as
in the verdict, because the best was picked by looking at the same numbers. An open pair gets a forecast: how many more
seeds would decide it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from surefoot.statistics.equivalence import adjusted, next_level, seeds_to_tell, short_of
from surefoot.statistics.intervals import ALPHA, deviation
from surefoot.statistics.looks import Looks
from surefoot.store.margin import Margin


@dataclass(frozen=True)
class Closeness:
    """The tests of a pair, a and b, against a margin.

    Attributes:
        margin: in the unit of the scores; of a relative one, its mean over the seeds.
        a_worse: p-value of a being worse than b by the margin or more, adjusted over the family and for looks.
        b_worse: the same of b being worse than a.
        more: further seeds that would most likely decide the pair; None for more than `MOST_SEEDS` in all.
    """

    margin: float
    a_worse: float
    b_worse: float
    more: int | None

    @property
    def a_holds(self) -> bool:
        """Whether a is not worse than b by the margin or more."""
        return self.a_worse <= ALPHA

    @property
    def b_holds(self) -> bool:
        """Whether b is not worse than a by the margin or more."""
        return self.b_worse <= ALPHA

    @property
    def equal(self) -> bool:
        """Whether both are equal within the margin."""
        return self.a_holds and self.b_holds

    @property
    def turned(self) -> Closeness:
        """The same pair, seen from the other side."""
        return replace(self, a_worse=self.b_worse, b_worse=self.a_worse)


@dataclass(frozen=True)
class Near:
    """The data of a pair for its closeness: by seed the gains of a over b and the margins; and the looks."""

    gains: Sequence[float]
    margins: Sequence[float]
    looks: Looks
    resolution: float

    @classmethod
    def of(cls, a: Sequence[float], b: Sequence[float], sign: int, margin: Margin, looks: Looks, step: float) -> Near:
        """Return the data of two rows of scores, in the order in which seeds came; times `sign`, larger is better."""
        pairs = list(zip(a, b, strict=True))
        return cls([sign * (x - y) for x, y in pairs], [margin.of(x, y) for x, y in pairs], looks, step)

    @property
    def p_values(self) -> tuple[float, float]:
        """The unadjusted p-values of a being worse by the margin, and of b being worse."""
        a = [margin + gain for gain, margin in zip(self.gains, self.margins, strict=True)]
        b = [margin - gain for gain, margin in zip(self.gains, self.margins, strict=True)]
        return short_of(a, self.looks, self.resolution), short_of(b, self.looks, self.resolution)

    def more(self, pairs: int) -> int | None:
        """Return how many more seeds would decide this pair, in a family of so many pairs."""
        spread = max(deviation(self.gains), self.resolution)
        if not spread:
            return 1
        seeds = seeds_to_tell(fmean(self.gains), spread, fmean(self.margins), next_level(self.looks) / pairs)
        return seeds and max(1, seeds - len(self.gains))


def closeness(family: Sequence[Near], others: int = 0) -> list[Closeness]:
    """Return the closeness of every pair; `others` counts further pairs of the family, from an earlier verdict."""
    pairs = len(family) + others
    p_values = adjusted([*(one.p_values for one in family), *[(1.0, 1.0)] * others])
    return [Closeness(fmean(one.margins), a, b, one.more(pairs)) for one, (a, b) in zip(family, p_values, strict=False)]
