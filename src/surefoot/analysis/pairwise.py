"""Every optimizer against every other of its family: difference, test, and share of wins, seed by seed.

The number of pairs picks the test at each look; the scores never do, so the choice costs no validity. The permutation
test holds its level however scores scatter. With too few pairs for it (below 6 for two optimizers, 8 for four) the
t-test takes its place, which assumes normal differences. What it found stays found at later looks. Fewer than 5 pairs
are not tested: they cannot show whether differences are normal.

A user may pick pairs after an earlier verdict on the same seeds: the best two again, or all against the best. So a
family is never smaller than that of an earlier verdict on its seeds. Seeds that are added after a verdict are another
look: the p-value counts all earlier verdicts on the pair (`statistics.looks`). What a planned look spends follows from
the plan alone, not from scores or from optimizers that left, so every pair stays exact.

A seed that diverged takes part with a score (`Scale.lost`). Otherwise an optimizer that blows up on hard seeds would be
judged by the easy ones. This score comes from all scores of the study alike. Swapping a pair leaves it as it is, so the
permutation test stays exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import isnan
from statistics import fmean
from typing import Literal

from surefoot.analysis.closeness import Closeness, Near, closeness
from surefoot.analysis.families import TOGETHER, Family, asked
from surefoot.analysis.scale import Scale
from surefoot.statistics.intervals import ALPHA, PairedDifference, holm, paired_difference
from surefoot.statistics.looks import Looks, assumed_p, p_value
from surefoot.statistics.permutation import FEWEST_PAIRS, fewest_pairs
from surefoot.statistics.proportions import Proportion, paired_superiority
from surefoot.store.looks import BEST, PRESENT, Question, TakenLook
from surefoot.store.margin import Margin

Test = Literal["permutation", "t"]

Scores = Mapping[int, float]
"""The scores of an optimizer by seed; NaN where it diverged."""

Looked = Mapping[str, Mapping[int, frozenset[TakenLook]]]
"""The earlier verdicts that each trial was part of, by optimizer and seed."""


@dataclass(frozen=True)
class Comparison:
    """The comparison of optimizer `a` with `b` on the `n` finished or diverged seeds of both.

    Attributes:
        difference: a minus b with its 95 % t interval and the p-value of `test`, all unadjusted. A seed that diverged
            counts as in `counted`.
        better: the optimizer with the better mean.
        test: None with too few seeds.
        p: p-value after Holm's correction over the `family`; None with too few seeds.
        wins: share of seeds on which a is better; a tie counts half.
        looks: numbers of seeds tested at each verdict so far, the present one last.
        together: number of pairs that p is corrected for.
        closeness: None without a margin, or with too few seeds.
    """

    a: str
    b: str
    family: Family
    n: int
    difference: PairedDifference
    better: str
    test: Test | None
    p: float | None
    wins: Proportion
    looks: tuple[int, ...] = ()
    together: int = 0
    closeness: Closeness | None = None

    @property
    def worse(self) -> str:
        """The optimizer with the worse mean."""
        return self.b if self.better == self.a else self.a

    @property
    def is_main(self) -> bool:
        """Whether the verdict is about this pair: one of optimizers as tuned, where any are."""
        return self.family in ("all", "tuned")

    @property
    def distinguishable(self) -> bool:
        """Whether the adjusted p-value is at most 0.05."""
        return self.p is not None and self.p <= ALPHA

    @property
    def settled(self) -> bool:
        """Whether the pair has its answer: one is ahead of the other, or both are equal within the margin."""
        return self.distinguishable or (self.closeness is not None and self.closeness.equal)

    @property
    def is_assumed(self) -> bool:
        """Whether its finding rests on a t-test: it has too few seeds, or had too few when it was found."""
        return self.test == "t" and (self.distinguishable or self.n < fewest_pairs(self.together))

    @property
    def turned(self) -> Comparison:
        """The same pair, seen from the other side."""
        gap, wins = self.difference, self.wins
        other = replace(gap, mean=-gap.mean, low=-gap.high, high=-gap.low)
        near = self.closeness and self.closeness.turned
        lost = replace(wins, value=1 - wins.value)
        return replace(self, a=self.b, b=self.a, difference=other, wins=lost, closeness=near)


NONE: frozenset[TakenLook] = frozenset()
"""The verdicts of a trial that was never judged."""


def counted(scores: Mapping[str, Scores], scale: Scale) -> dict[str, dict[int, float]]:
    """Return the scores of each optimizer by seed, with `Scale.lost` in place of NaN."""
    lost = scale.lost(score for found in scores.values() for score in found.values() if not isnan(score))
    return {
        name: {seed: lost if isnan(score) else score for seed, score in found.items()} for name, found in scores.items()
    }


def compare_all(
    scores: Mapping[str, Scores],
    scale: Scale,
    *,
    tuned_from: Mapping[str, str] | None = None,
    looked: Looked | None = None,
    margin: Margin | None = None,
    now: TakenLook = PRESENT,
    question: Question = BEST,
) -> tuple[Comparison, ...]:
    """Compare every two optimizers of a family that share at least two seeds.

    Args:
        scores: scores of each optimizer by seed; NaN where it diverged.
        scale: scale of the scores; it decides which score is better, the differences keep their sign.
        tuned_from: the untuned label for each tuned one; None for no tuning.
        looked: earlier verdicts; None for none.
        margin: difference that still counts as equal; None for no such question.
        now: the present verdict, for seeds without an earlier one.
        question: the question of the study; it decides which pairs a family has.
    """
    study = _Study(counted(scores, scale), scale, looked or {}, margin, now)
    every = asked(list(scores), tuned_from or {}, question)
    return tuple(row for family, pairs in every.items() for row in study.compare_family(family, pairs))


def tie_groups(
    scores: Mapping[str, Scores], comparisons: Sequence[Comparison], scale: Scale
) -> tuple[tuple[str, ...], ...]:
    """Return the largest groups of optimizers that no test separates, the best mean first.

    An optimizer can be in several groups: A and B tie, B and C tie, and A still beats C. One without ties is a group by
    itself.
    """
    filled = counted(scores, scale)
    order = sorted(scores, key=lambda name: scale.gain(fmean(filled[name].values())), reverse=True)
    tied = {frozenset((row.a, row.b)) for row in comparisons if row.p is not None and not row.distinguishable}
    groups: list[list[str]] = [[]]
    for name in order:
        fitting = [[*(m for m in group if frozenset((m, name)) in tied), name] for group in groups]
        distinct = [list(group) for group in dict.fromkeys(map(tuple, groups + fitting))]
        groups = [group for group in distinct if not any(set(group) < set(other) for other in distinct)]
    return tuple(tuple(group) for group in sorted(groups, key=lambda group: [order.index(name) for name in group]))


@dataclass(frozen=True)
class _Study:
    """The scores of a study, as `counted` returns them, and all that decides their tests."""

    scores: Mapping[str, Scores]
    scale: Scale
    looked: Looked
    margin: Margin | None
    now: TakenLook

    def compare_family(self, family: Family, pairs: Sequence[tuple[str, str]]) -> list[Comparison]:
        shared = [(a, b, sorted(self.scores[a].keys() & self.scores[b].keys())) for a, b in pairs]
        tested = sum(len(seeds) >= FEWEST_PAIRS for *_, seeds in shared)
        before = max((self._together(family, a, b) for a, b in pairs), default=0)
        together = max(tested, before)
        rows = [self._compare(family, a, b, seeds, max(1, together)) for a, b, seeds in shared if len(seeds) >= 2]
        adjusted = iter(holm([row.p for row, _ in rows if row.p is not None] + [1.0] * (together - tested)))
        close = iter(closeness([near for _, near in rows if near], together - tested))
        return [
            row
            if row.p is None
            else replace(row, p=next(adjusted), closeness=next(close) if near else None, together=together)
            for row, near in rows
        ]

    def _together(self, family: Family, a: str, b: str) -> int:
        """Return the most pairs of a family that an earlier verdict tested together with this one; 0 for none."""
        of_a, of_b = self.looked.get(a, {}), self.looked.get(b, {})
        shared = (of_a[seed] & of_b[seed] for seed in of_a.keys() & of_b.keys())
        often = Counter(look for looks in shared for look in looks)
        tested = [look.together for look, seeds in often.items() if seeds >= FEWEST_PAIRS]
        return max((TOGETHER[family](one) for one in tested), default=0)

    def _compare(
        self, family: Family, a: str, b: str, seeds: Sequence[int], together: int
    ) -> tuple[Comparison, Near | None]:
        """Return the comparison with its unadjusted p, and the data for its closeness."""
        enough = fewest_pairs(together)
        seeds, looks = self._looks(a, b, seeds, enough)
        left, right = ([self.scores[name][seed] for seed in seeds] for name in (a, b))
        difference, near = paired_difference(left, right, self.scale.resolution), None
        p, test = self._tested(left, right, looks, together) if looks else (None, None)
        if p is not None:
            difference = replace(difference, p=p)
        if looks and self.margin:
            near = Near.of(left, right, self.scale.sign, self.margin, looks, self.scale.resolution)
        higher = self.scale.sign > 0
        better = a if (fmean(left) >= fmean(right)) == higher else b
        wins = paired_superiority(*((left, right) if higher else (right, left)))
        row = Comparison(a, b, family, len(seeds), difference, better, test, p, wins, looks.at if looks else ())
        return row, near

    def _tested(self, a: Sequence[float], b: Sequence[float], looks: Looks, together: int) -> tuple[float, Test]:
        """Return the p-value and its test: an earlier t-test only where that alone may have found a difference."""
        assumed = assumed_p(a, b, looks, self.scale.resolution)
        if looks.assumed == len(looks.at):
            return assumed, "t"
        p = p_value(a, b, looks, together)
        return (assumed, "t") if assumed <= ALPHA < p * together and assumed < p else (p, "permutation")

    def _looks(self, a: str, b: str, seeds: Sequence[int], enough: int) -> tuple[list[int], Looks | None]:
        """Return the seeds in the order of the verdicts that saw them, and the looks; None with too few to test."""
        of_a, of_b = self.looked.get(a, {}), self.looked.get(b, {})
        first = {seed: min(of_a.get(seed, NONE) & of_b.get(seed, NONE), default=self.now) for seed in seeds}
        order = sorted(seeds, key=lambda seed: (first[seed], seed))
        new = Counter(first.values())
        sizes = dict(zip(sorted(new), accumulate(new[verdict] for verdict in sorted(new)), strict=True))
        return order, _spending({verdict: size for verdict, size in sizes.items() if size >= FEWEST_PAIRS}, enough)


def _spending(sizes: Mapping[TakenLook, int], enough: int) -> Looks | None:
    """Return how looks spend alpha: by the plan of the first one's run; looks of later runs are beyond it."""
    if not sizes:
        return None
    at, first = tuple(sizes.values()), next(iter(sizes))
    assumed = sum(size < enough for size in at)
    if not first.planned:
        return Looks(at, at[0], assumed)
    due = tuple(look.seeds if look.run == first.run else first.planned + 1 for look in sizes)
    return Looks(at, first.planned, assumed, first.spending, due)
