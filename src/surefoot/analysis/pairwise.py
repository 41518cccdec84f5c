"""Every optimizer against every other: difference, test, and how often one beats the other, seed by seed.

Where there are enough pairs for it to come to a verdict, the exact permutation test decides, because it holds its level
however scores scatter. Below that (6 pairs for two optimizers, 8 for four) it cannot reject anything, and the t-test
takes its place, which holds its level only if differences follow a bell curve. The number of pairs picks the test, the
scores never do, so the choice costs no validity. Holm's correction runs over all pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean
from typing import Literal

from surefoot.analysis.intervals import ALPHA, Difference, holm, paired_difference
from surefoot.analysis.permutation import fewest_pairs, paired_permutation
from surefoot.analysis.proportions import Proportion
from surefoot.analysis.superiority import paired_superiority

Scores = Mapping[int, float]
"""The scores of an optimizer by seed."""


@dataclass(frozen=True)
class Comparison:
    """Optimizer `a` against `b` on the seeds that both have.

    `difference` is a minus b with its 95 % t interval (unadjusted); its p is that of `test`, unadjusted, and `p` the
    one after Holm's correction. `wins` is the share of seeds with which `a` is better, ties half.
    """

    a: str
    b: str
    difference: Difference
    test: Literal["permutation", "t"]
    p: float
    wins: Proportion

    @property
    def distinguishable(self) -> bool:
        """Whether the adjusted p-value is at most 0.05."""
        return self.p <= ALPHA


def compare_all(
    scores: Mapping[str, Scores], resolution: float = 0.0, *, higher: bool = True
) -> tuple[Comparison, ...]:
    """Compare every two optimizers that share at least two seeds.

    Args:
        scores: for each optimizer its score by seed.
        resolution: the smallest step that a score can take (see `intervals.paired_difference`).
        higher: whether higher scores are better; it decides who wins, the differences keep their sign.
    """
    shared = [(a, b, sorted(scores[a].keys() & scores[b].keys())) for a, b in combinations(scores, 2)]
    shared = [(a, b, seeds) for a, b, seeds in shared if len(seeds) >= 2]
    enough = fewest_pairs(ALPHA, max(1, len(shared)))
    rows = [_compare(a, b, scores, seeds, resolution, len(seeds) >= enough, higher) for a, b, seeds in shared]
    return tuple(replace(row, p=p) for row, p in zip(rows, holm([row.p for row in rows]), strict=True))


def tie_groups(
    scores: Mapping[str, Scores], comparisons: Sequence[Comparison], *, higher: bool = True
) -> tuple[tuple[str, ...], ...]:
    """The largest groups of optimizers of which no two can be told apart, the best mean first.

    An optimizer can be in several: A and B tie, B and C tie, and A still beats C. Optimizers that share no seeds were
    not told apart.
    """
    order = sorted(scores, key=lambda name: fmean(scores[name].values()), reverse=higher)
    apart = {frozenset((row.a, row.b)) for row in comparisons if row.distinguishable}
    groups: list[list[str]] = [[]]
    for name in order:
        fitting = [[*(m for m in group if frozenset((m, name)) not in apart), name] for group in groups]
        groups = _largest(groups + fitting)
    return tuple(tuple(group) for group in sorted(groups, key=lambda group: [order.index(name) for name in group]))


def _compare(
    a: str, b: str, scores: Mapping[str, Scores], seeds: list[int], resolution: float, exact: bool, higher: bool
) -> Comparison:
    left, right = ([scores[name][seed] for seed in seeds] for name in (a, b))
    difference = paired_difference(left, right, resolution)
    if exact:
        difference = replace(difference, p=paired_permutation(left, right).p)
    wins = paired_superiority(*((left, right) if higher else (right, left)))
    return Comparison(a, b, difference, "permutation" if exact else "t", difference.p, wins)


def _largest(groups: Sequence[list[str]]) -> list[list[str]]:
    """The groups that are not part of another."""
    distinct = [group for i, group in enumerate(groups) if group not in groups[:i]]
    return [group for group in distinct if not any(set(group) < set(other) for other in distinct)]
