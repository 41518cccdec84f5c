"""The verdict: what the seeds allow to claim, as labels and numbers; `words.verdict` writes it.

With one seed the only yardstick at hand is the sampling noise of the test set, 1.96 sqrt(2 p (1 - p) / n), and only a
share such as accuracy has one. It is a lower limit, because the seed adds its own, so it can keep rows together but
never prove them apart: rows beyond twice the yardstick are called behind "in this one run", and rows between are left
open, as are all where there is no yardstick. An optimizer that diverged with another seed has no say in it.

With several seeds the best has the best mean of all, where a seed that diverged counts as worse than every score
(`divergence`). What it is said to be ahead of rests on tests (`pairwise`): Holm's correction runs over all pairs of a
family, although only those with the best are claimed, as the best was picked by looking at the same numbers. With fewer
than 5 seeds nothing is tested, and an optimizer of another family (`families`) is left open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan, sqrt
from statistics import fmean
from typing import Literal

from surefoot.analysis.divergence import Scores, counted
from surefoot.analysis.pairwise import Comparison, compare_all
from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Arm, tuned_from
from surefoot.statistics.intervals import ALPHA, Difference, paired_difference
from surefoot.statistics.permutation import fewest_pairs

Basis = Literal["nothing", "one run", "seeds"]


@dataclass(frozen=True)
class Pair:
    """The best arm against another of its family, on the `n` seeds that both have, finished or diverged.

    `difference` is the mean paired difference in the test metric (`other` minus `best`) on the seeds that both
    finished, with its 95 % t interval (unadjusted); None with fewer than two. `p` is Holm-adjusted, None with too few
    seeds. `ahead` tells whether the best is the better one of the two, `diverged` how many seeds of the other did.
    """

    best: str
    other: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    ahead: bool
    diverged: int

    @property
    def distinguishable(self) -> bool:
        """Whether the adjusted p-value is at most 0.05."""
        return self.p is not None and self.p <= ALPHA


@dataclass(frozen=True)
class Ends:
    """How the trials of one arm ended; `finished` and `diverged` are those that are judged."""

    label: str
    trials: int
    finished: int
    diverged: int
    failed: int
    unfinished: int

    @property
    def judged(self) -> int:
        """Trials that say something about the optimizer."""
        return self.finished + self.diverged


@dataclass(frozen=True)
class Verdict:
    """What can be said about the test metric, in labels and numbers.

    `basis` tells what it rests on: one run of each, several seeds, or nothing, where `best` is None. `ties` are not
    separated from the best, `behind` are worse, `open` are neither, as they were not tested against it. `yardstick` (a
    fraction) is set for one seed of a share, `pairs` for several seeds.

    `scores` has what each arm is judged by: its first score in one run, the mean of those that finished with several.
    `leads` is False where the best has not the best of these, because others diverged oftener. The optimizers `apart`
    share too few seeds with the best to be ranked. `trusted` is the number of seeds from which on nothing is assumed
    of how differences scatter, None where nothing is. `ends` has how the trials of every arm ended.
    """

    basis: Basis = "nothing"
    best: str | None = None
    ties: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    yardstick: float | None = None
    pairs: tuple[Pair, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    leads: bool = True
    apart: tuple[str, ...] = ()
    trusted: int | None = None
    ends: tuple[Ends, ...] = ()


def compare_arms(arms: Sequence[Arm], scale: Scale) -> tuple[Comparison, ...]:
    """Every arm against every other of its family on their test metrics."""
    return compare_all(results(arms), scale.resolution, higher=scale.sign > 0, tuned_from=tuned_from(arms))


def results(arms: Sequence[Arm]) -> dict[str, dict[int, float]]:
    """The test metric of every arm that has any trial to judge, by seed, not a number where it diverged."""
    return {arm.label: arm.results() for arm in arms if arm.judged}


def judge(arms: Sequence[Arm], scale: Scale, comparisons: Sequence[Comparison] | None = None) -> Verdict:
    """The verdict on arms whose test metrics are on this scale; unfinished and failed trials are left out.

    Args:
        arms: the arms to be judged.
        scale: of their metric.
        comparisons: what `compare_arms` made of them, if that is known already.
    """
    known = compare_arms(arms, scale) if comparisons is None else comparisons
    return replace(_judge(arms, scale, known), ends=tuple(_ends(arm) for arm in arms))


def _judge(arms: Sequence[Arm], scale: Scale, comparisons: Sequence[Comparison]) -> Verdict:
    repeated = [arm for arm in arms if len(arm.judged) >= 2]
    alone = [arm for arm in arms if arm.finished and not arm.diverged]
    if len(repeated) >= 2 and any(arm.finished for arm in repeated):
        return _judge_seeds(arms, repeated, scale, comparisons)
    if len(alone) >= 2:
        return _judge_once(alone, scale)
    return Verdict(scores=_means(alone or [arm for arm in arms if arm.finished]))


def _ends(arm: Arm) -> Ends:
    failed, running = (len(arm.with_status(status)) for status in ("failed", "running"))
    return Ends(arm.label, len(arm.trials), len(arm.finished), len(arm.diverged), failed, running)


def _means(arms: Sequence[Arm]) -> dict[str, float]:
    return {arm.label: fmean(arm.metrics().values()) for arm in arms if arm.finished}


def noise(share: float, test_size: int) -> float:
    """The 95 % yardstick for the difference of two shares, such as accuracies, of `test_size` examples each.

    A share of 1 is taken as one error, and of 0 as one hit: none seen does not mean that none are possible.
    """
    p = min(max(share, 1 / test_size), 1 - 1 / test_size)
    return 1.96 * sqrt(2 * p * (1 - p) / test_size)


def _judge_once(arms: Sequence[Arm], scale: Scale) -> Verdict:
    """The verdict when at most one arm has more than one seed: each arm counts with its first finished seed."""
    scores = {arm.label: next(iter(arm.metrics().values())) for arm in arms}
    best = max(scores, key=lambda label: scale.gain(scores[label]))
    gaps = {label: score - scores[best] for label, score in scores.items() if label != best}
    yardstick = noise(scores[best], scale.test_size) if scale.metric.share else None
    lost = {label: -scale.gain(gap) for label, gap in gaps.items()}
    ties = tuple(label for label in gaps if yardstick is not None and lost[label] <= yardstick)
    behind = tuple(label for label in gaps if yardstick is not None and lost[label] > 2 * yardstick)
    rest = tuple(label for label in gaps if label not in ties + behind)
    return Verdict("one run", best, ties, behind, rest, yardstick, scores=scores)


def _judge_seeds(
    arms: Sequence[Arm], repeated: Sequence[Arm], scale: Scale, comparisons: Sequence[Comparison]
) -> Verdict:
    found = results(arms)
    scores = counted(found, higher=scale.sign > 0)
    best = max(repeated, key=lambda arm: scale.gain(fmean(scores[arm.label].values())))
    pairs = tuple(_pair(best.label, row, found) for row in comparisons if best.label in (row.a, row.b))
    ties = tuple(pair.other for pair in pairs if pair.p is not None and not pair.distinguishable)
    behind = tuple(pair.other for pair in pairs if pair.distinguishable and pair.ahead)
    rest = tuple(label for label in found if label not in (best.label, *ties, *behind))
    apart = [label for label in rest if len(found[label].keys() & found[best.label].keys()) < 2]
    apart += [pair.other for pair in pairs if pair.distinguishable and not pair.ahead]
    means = _means(repeated)
    leads = scale.best(means.values()) == means[best.label]
    groups = (best.label, ties, behind, rest)
    return Verdict("seeds", *groups, None, pairs, means, leads, tuple(apart), _trusted(comparisons))


def _pair(best: str, row: Comparison, scores: Mapping[str, Scores]) -> Pair:
    """The comparison as "other minus best"."""
    other, sign = (row.a, 1) if row.b == best else (row.b, -1)
    gap, lost = row.difference, sum(isnan(score) for seed, score in scores[other].items() if seed in scores[best])
    mean, low, high = (
        (None, None, None) if gap is None else (sign * gap.mean, *sorted((sign * gap.low, sign * gap.high)))
    )
    return Pair(best, other, mean, low, high, row.p, row.n, row.better == best, lost)


def _trusted(comparisons: Sequence[Comparison]) -> int | None:
    """Seeds from which on the permutation test takes the place of the t-test, which was used with fewer."""
    tested = Counter(row.family for row in comparisons if row.p is not None)
    assuming = {row.family for row in comparisons if row.test == "t"}
    return max((fewest_pairs(comparisons=tested[family]) for family in assuming), default=None)


def metric_difference(a: Arm, b: Arm, scale: Scale) -> Difference | None:
    """Test metric of `a` minus that of `b`, paired over the seeds that both finished; None with fewer than two."""
    left, right = a.metrics(), b.metrics()
    common = [seed for seed in left if seed in right]
    if len(common) < 2:
        return None
    return paired_difference([left[s] for s in common], [right[s] for s in common], scale.resolution)
