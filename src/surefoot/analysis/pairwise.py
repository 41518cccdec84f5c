"""Every optimizer against every other of its family: difference, test, and how often one beats the other, seed by seed.

A study with tuned optimizers asks which is best when tuned, which is best with its defaults, and what tuning gains
each. Each question is a family with a Holm correction of its own, so that false findings are as rare as is promised.

The number of pairs picks the test at each look, the scores never do, so the choice costs no validity. The permutation
test decides where it can, because it holds its level however scores scatter. Below that (6 pairs for two optimizers, 8
for four) the t-test takes its place, which holds its level only if differences follow a bell curve. What it found stays
found at later looks. Fewer than 5 pairs cannot show whether differences do, and nothing is tested.

Which pairs are asked about may follow from an earlier verdict on the same seeds: only the best two again, or all
against the best. So a family is never smaller than that of an earlier verdict on its seeds.

Seeds that are added after a verdict are another look at the same question: the p-value then counts all verdicts that
the optimizers had together before (`statistics.looks`). Planned looks are verdicts too. What each spends follows from
the plan, whatever the seeds say and whichever optimizers have left, so that every pair stays exact.

Were a seed that diverged left out, an optimizer that blows up on hard seeds would be judged by the easy ones. So it
takes part with a score (`Scale.lost`): what guessing gets, where that is known, as that is what a diverged model is
worth. Else it is no better than any. It is made from all scores of the study alike: swapping a pair would leave it as
it is, so the permutation test stays exact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, combinations
from math import isnan
from operator import attrgetter
from statistics import fmean
from typing import Literal

from surefoot.analysis.closeness import Closeness, Near, closeness
from surefoot.analysis.scale import Scale
from surefoot.statistics.intervals import ALPHA, PairedDifference, holm, paired_difference
from surefoot.statistics.looks import Looks, assumed_p, p_value
from surefoot.statistics.permutation import FEWEST_PAIRS, fewest_pairs
from surefoot.statistics.proportions import Proportion, paired_superiority
from surefoot.store.looks import BEST, PRESENT, Question, TakenLook, Together
from surefoot.store.margin import Margin

Family = Literal["all", "tuned", "untuned", "gain"]
Test = Literal["permutation", "t"]

Scores = Mapping[int, float]
"""The scores of an optimizer by seed; not a number where it diverged."""

Looked = Mapping[str, Mapping[int, frozenset[TakenLook]]]
"""Of each optimizer by seed which earlier verdicts it was part of."""


@dataclass(frozen=True)
class Comparison:
    """Optimizer `a` against `b` on the `n` seeds that both have, finished or diverged.

    `difference` is a minus b with its 95 % t interval (unadjusted), in which a seed that diverged counts as in
    `counted`; its p is that of `test`, unadjusted. `p` is the one after Holm's correction over the `family`; both
    `test` and `p` are None with too few seeds. `looks` has how many seeds were tested at each verdict so far, this one
    last. `better` is the one with the better mean, and `wins` the share of seeds with which `a` is better, ties half.
    `closeness` tells of a margin, None where none is asked for or there are too few seeds. `together` is how many pairs
    p is corrected for.
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
    def distinguishable(self) -> bool:
        """Whether the adjusted p-value is at most 0.05."""
        return self.p is not None and self.p <= ALPHA

    @property
    def is_assumed(self) -> bool:
        """Whether what is said of it rests on a t-test: it has too few seeds, or was found when it had."""
        return self.test == "t" and (self.distinguishable or self.n < fewest_pairs(self.together))

    @property
    def turned(self) -> Comparison:
        """The same pair, seen from the other side."""
        gap, wins = self.difference, self.wins
        other = replace(gap, mean=-gap.mean, low=-gap.high, high=-gap.low)
        near = self.closeness and self.closeness.turned
        lost = replace(wins, value=1 - wins.value)
        return replace(self, a=self.b, b=self.a, difference=other, wins=lost, closeness=near)


_TOGETHER: Mapping[Family, Callable[[Together], int]] = {
    "all": attrgetter("pairs"),
    "tuned": attrgetter("pairs"),
    "untuned": attrgetter("untuned"),
    "gain": attrgetter("gains"),
}
"""How many comparisons of a family an earlier verdict tested together."""

NONE: frozenset[TakenLook] = frozenset()
"""The verdicts that a trial was part of that was never judged."""


def asked(labels: Sequence[str], own: Mapping[str, str], question: Question) -> dict[Family, list[tuple[str, str]]]:
    """The pairs of `families` that a question asks about: of `against`, those of one optimizer, tuned or not."""
    found = families(labels, own)
    if question.kind != "against":
        return found
    mine = {question.against, *(tuned for tuned, untuned in own.items() if untuned == question.against)}
    return {family: [pair for pair in pairs if mine & set(pair)] for family, pairs in found.items()}


def families(labels: Sequence[str], own: Mapping[str, str]) -> dict[Family, list[tuple[str, str]]]:
    """The pairs that are tested, by family: all of them where nothing is tuned; no pair is in two families.

    `own` has for each tuned label the untuned one of the same optimizer. A setting without a tuned counterpart is as
    its user wants it: it is compared with the tuned too.
    """
    own = {tuned: untuned for tuned, untuned in own.items() if {tuned, untuned} <= set(labels)}
    if not own:
        return {"all": list(combinations(labels, 2))}
    final = list(combinations([label for label in labels if label not in own.values()], 2))
    given = list(combinations([label for label in labels if label not in own], 2))
    return {"tuned": final, "untuned": [pair for pair in given if pair not in final], "gain": list(own.items())}


def counted(scores: Mapping[str, Scores], scale: Scale) -> dict[str, dict[int, float]]:
    """The scores of each optimizer by seed, with what a seed counts that diverged."""
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
        scores: for each optimizer its score by seed, not a number where it diverged.
        scale: of the scores; it decides who wins, the differences keep their sign.
        tuned_from: for each tuned optimizer the untuned one; none are tuned if None.
        looked: which verdicts there were before; none if None.
        margin: by how much two may differ and still count as equal; not asked if None.
        now: the verdict that seeds without an earlier one are for.
        question: what is asked; it decides which pairs are a family.
    """
    study = _Study(counted(scores, scale), scale, looked or {}, margin, now)
    every = asked(list(scores), tuned_from or {}, question)
    return tuple(row for family, pairs in every.items() for row in study.compare_family(family, pairs))


def tie_groups(
    scores: Mapping[str, Scores], comparisons: Sequence[Comparison], scale: Scale
) -> tuple[tuple[str, ...], ...]:
    """Groups of optimizers that no test separates, as large as possible, the best mean first.

    An optimizer can be in several: A and B tie, B and C tie, and A still beats C. One that ties with none is a group of
    its own.
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
    """The scores of a study, with what a diverged seed counts, what they have gone through, and what is asked."""

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
        """How many pairs of a family an earlier verdict tested together, if it tested this one."""
        of_a, of_b = self.looked.get(a, {}), self.looked.get(b, {})
        shared = (of_a[seed] & of_b[seed] for seed in of_a.keys() & of_b.keys())
        often = Counter(look for looks in shared for look in looks)
        tested = [look.together for look, seeds in often.items() if seeds >= FEWEST_PAIRS]
        return max((_TOGETHER[family](one) for one in tested), default=0)

    def _compare(
        self, family: Family, a: str, b: str, seeds: Sequence[int], together: int
    ) -> tuple[Comparison, Near | None]:
        """The comparison with its unadjusted p, and what is asked of its closeness."""
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
        """The p-value, and what it rests on: an earlier t-test only where that alone may have found a difference."""
        assumed = assumed_p(a, b, looks, self.scale.resolution)
        if looks.assumed == len(looks.at):
            return assumed, "t"
        p = p_value(a, b, looks, together)
        return (assumed, "t") if assumed <= ALPHA < p * together and assumed < p else (p, "permutation")

    def _looks(self, a: str, b: str, seeds: Sequence[int], enough: int) -> tuple[list[int], Looks | None]:
        """The seeds in the order in which verdicts saw them, and when; no looks where there are too few to test."""
        of_a, of_b = self.looked.get(a, {}), self.looked.get(b, {})
        first = {seed: min(of_a.get(seed, NONE) & of_b.get(seed, NONE), default=self.now) for seed in seeds}
        order = sorted(seeds, key=lambda seed: (first[seed], seed))
        new = Counter(first.values())
        sizes = dict(zip(sorted(new), accumulate(new[verdict] for verdict in sorted(new)), strict=True))
        return order, _spending({verdict: size for verdict, size in sizes.items() if size >= FEWEST_PAIRS}, enough)


def _spending(sizes: Mapping[TakenLook, int], enough: int) -> Looks | None:
    """How looks at so many seeds spend alpha: as the run of the first planned; those of later runs are beyond it."""
    if not sizes:
        return None
    at, first = tuple(sizes.values()), next(iter(sizes))
    assumed = sum(size < enough for size in at)
    if not first.planned:
        return Looks(at, at[0], assumed)
    due = tuple(look.seeds if look.run == first.run else first.planned + 1 for look in sizes)
    return Looks(at, first.planned, assumed, first.spending, due)
