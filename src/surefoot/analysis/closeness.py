"""Whether two optimizers are equal within a margin, or one is not worse by it, and when an open pair would be told.

Both questions have a family-wise error of 5 % of their own, beside that of differences: over all pairs of a family,
like the verdict, as the best was picked by looking at the same numbers.
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
    """What a pair tells of a `margin`, in the unit of the scores; the mean of what it came to if it is relative.

    `a_worse` and `b_worse` are p-values, adjusted over the family and for looks: of a being worse than b by the margin
    or more, and of b being worse than a. `more` is how many more seeds would most likely tell whether both are equal
    or one is ahead, None where that is more than anybody would run.
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
    """A pair that is asked for its closeness: the gains of a over b by seed, the margin at each, and the looks."""

    gains: Sequence[float]
    margins: Sequence[float]
    looks: Looks
    resolution: float

    @classmethod
    def of(cls, a: Sequence[float], b: Sequence[float], sign: int, margin: Margin, looks: Looks, step: float) -> Near:
        """Of the scores of two optimizers in the order in which seeds came; times `sign`, larger is better."""
        pairs = list(zip(a, b, strict=True))
        return cls([sign * (x - y) for x, y in pairs], [margin.of(x, y) for x, y in pairs], looks, step)

    @property
    def p_values(self) -> tuple[float, float]:
        """Of a being worse than b by the margin, and of b being worse than a; unadjusted."""
        a = [margin + gain for gain, margin in zip(self.gains, self.margins, strict=True)]
        b = [margin - gain for gain, margin in zip(self.gains, self.margins, strict=True)]
        return short_of(a, self.looks, self.resolution), short_of(b, self.looks, self.resolution)

    def more(self, pairs: int) -> int | None:
        """How many more seeds would tell, in a family of so many pairs."""
        spread = max(deviation(self.gains), self.resolution)
        if not spread:
            return 1
        seeds = seeds_to_tell(fmean(self.gains), spread, fmean(self.margins), next_level(self.looks) / pairs)
        return seeds and max(1, seeds - len(self.gains))


def closeness(family: Sequence[Near], others: int = 0) -> list[Closeness]:
    """The closeness of every pair of a family, which an earlier verdict tested with so many other pairs."""
    pairs = len(family) + others
    p_values = adjusted([*(one.p_values for one in family), *[(1.0, 1.0)] * others])
    return [Closeness(fmean(one.margins), a, b, one.more(pairs)) for one, (a, b) in zip(family, p_values, strict=False)]
