"""Every optimizer against every other of its family: difference, test, and how often one beats the other, seed by seed.

Where there are enough pairs for it to come to a verdict, the exact permutation test decides, because it holds its level
however scores scatter. Below that (6 pairs for two optimizers, 8 for four) it cannot reject anything, and the t-test
takes its place, which holds its level only if differences follow a bell curve. With fewer than 5 pairs nothing can show
whether they do, and nothing is tested. The number of pairs picks the test, the scores never do, so the choice costs no
validity. Holm's correction runs over the pairs of each family (`families`).

A seed that diverged takes part in test and wins (`divergence`), while the difference shown is that of the seeds that
both finished.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from statistics import fmean
from typing import Literal

from surefoot.analysis.divergence import Scores, counted
from surefoot.analysis.families import Family, families
from surefoot.statistics.intervals import ALPHA, Difference, holm, paired_difference
from surefoot.statistics.permutation import FEWEST_PAIRS, fewest_pairs, paired_permutation
from surefoot.statistics.proportions import Proportion
from surefoot.statistics.superiority import paired_superiority

Test = Literal["permutation", "t"]


@dataclass(frozen=True)
class Comparison:
    """Optimizer `a` against `b` on the `n` seeds that both have, finished or diverged.

    `difference` is a minus b with its 95 % t interval (unadjusted) on the seeds that both finished, None with fewer
    than two; its p is that of `test`, unadjusted. `p` is the one after Holm's correction over the `family`; both `test`
    and `p` are None with too few seeds. `better` is the one with the better mean, and `wins` the share of seeds with
    which `a` is better, ties half; in these a seed that diverged counts as worse than every score.
    """

    a: str
    b: str
    family: Family
    n: int
    difference: Difference | None
    better: str
    test: Test | None
    p: float | None
    wins: Proportion

    @property
    def distinguishable(self) -> bool:
        """Whether the adjusted p-value is at most 0.05."""
        return self.p is not None and self.p <= ALPHA


def compare_all(
    scores: Mapping[str, Scores],
    resolution: float = 0.0,
    *,
    higher: bool = True,
    tuned_from: Mapping[str, str] | None = None,
) -> tuple[Comparison, ...]:
    """Compare every two optimizers of a family that share at least two seeds.

    Args:
        scores: for each optimizer its score by seed, not a number where it diverged.
        resolution: the smallest step that a score can take (see `intervals.paired_difference`).
        higher: whether higher scores are better; it decides who wins, the differences keep their sign.
        tuned_from: for each tuned optimizer the untuned one; none are tuned if None.
    """
    study = _Study(scores, counted(scores, higher=higher), resolution, higher)
    every = families(list(scores), tuned_from or {})
    return tuple(row for family, pairs in every.items() for row in _compare_family(study, family, pairs))


def tie_groups(
    scores: Mapping[str, Scores], comparisons: Sequence[Comparison], *, higher: bool = True
) -> tuple[tuple[str, ...], ...]:
    """The largest groups of optimizers of which every two were tested and none told apart, the best mean first.

    An optimizer can be in several: A and B tie, B and C tie, and A still beats C. One that ties with none is a group of
    its own.
    """
    filled = counted(scores, higher=higher)
    order = sorted(scores, key=lambda name: fmean(filled[name].values()), reverse=higher)
    tied = {frozenset((row.a, row.b)) for row in comparisons if row.p is not None and not row.distinguishable}
    groups: list[list[str]] = [[]]
    for name in order:
        fitting = [[*(m for m in group if frozenset((m, name)) in tied), name] for group in groups]
        groups = _largest(groups + fitting)
    return tuple(tuple(group) for group in sorted(groups, key=lambda group: [order.index(name) for name in group]))


@dataclass(frozen=True)
class _Study:
    """The scores of a study, as they are and with what a diverged seed counts, their resolution and direction."""

    scores: Mapping[str, Scores]
    counted: Mapping[str, Scores]
    resolution: float
    higher: bool


def _compare_family(study: _Study, family: Family, pairs: Sequence[tuple[str, str]]) -> list[Comparison]:
    shared = [(a, b, sorted(study.scores[a].keys() & study.scores[b].keys())) for a, b in pairs]
    enough = fewest_pairs(ALPHA, max(1, sum(len(seeds) >= FEWEST_PAIRS for *_, seeds in shared)))
    rows = [_compare(study, family, a, b, seeds, enough) for a, b, seeds in shared if len(seeds) >= 2]
    adjusted = iter(holm([row.p for row in rows if row.p is not None]))
    return [row if row.p is None else replace(row, p=next(adjusted)) for row in rows]


def _compare(study: _Study, family: Family, a: str, b: str, seeds: Sequence[int], enough: int) -> Comparison:
    """The comparison with its unadjusted p."""
    left, right = ([study.counted[name][seed] for seed in seeds] for name in (a, b))
    test: Test | None = None if len(seeds) < FEWEST_PAIRS else "permutation" if len(seeds) >= enough else "t"
    difference = _difference(study, a, b, seeds)
    p = _p(test, left, right, study.resolution)
    if difference and p is not None:
        difference = replace(difference, p=p)
    better = a if (fmean(left) >= fmean(right)) == study.higher else b
    wins = paired_superiority(*((left, right) if study.higher else (right, left)))
    return Comparison(a, b, family, len(seeds), difference, better, test, p, wins)


def _p(test: Test | None, left: Sequence[float], right: Sequence[float], resolution: float) -> float | None:
    if test is None:
        return None
    return paired_permutation(left, right).p if test == "permutation" else paired_difference(left, right, resolution).p


def _difference(study: _Study, a: str, b: str, seeds: Sequence[int]) -> Difference | None:
    """On the seeds that both finished."""
    pairs = [(study.scores[a][seed], study.scores[b][seed]) for seed in seeds]
    both = [pair for pair in pairs if not any(map(isnan, pair))]
    if len(both) < 2:
        return None
    left, right = zip(*both, strict=True)
    return paired_difference(left, right, study.resolution)


def _largest(groups: Sequence[list[str]]) -> list[list[str]]:
    """The groups that are not part of another."""
    distinct = [group for i, group in enumerate(groups) if group not in groups[:i]]
    return [group for group in distinct if not any(set(group) < set(other) for other in distinct)]
