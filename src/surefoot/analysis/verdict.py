"""The verdict: what the seeds allow to claim, as labels and numbers; `words.verdict` writes it.

With one seed the only yardstick is the sampling noise of the test set, which only a share such as accuracy has. Seeds
add noise of their own, so this is a lower limit: it can keep rows together, but never prove them apart. Rows beyond
twice the yardstick are called behind "in this one run"; rows between are open. An optimizer that diverged with another
seed takes no part.

With several seeds the best has the best mean, in which a seed that diverged has a score too (`Scale.lost`). Claims
about it rest on tests (`pairwise`). Holm's correction covers all pairs of a family, although only pairs with the best
are claimed: the best was picked by looking at the same numbers. The same holds for equality.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan, sqrt
from statistics import NormalDist, fmean
from typing import Literal

from surefoot.analysis.closeness import Closeness
from surefoot.analysis.pairwise import Comparison, Scores, counted
from surefoot.analysis.scale import Scale
from surefoot.statistics.intervals import ALPHA, LEVEL
from surefoot.statistics.permutation import fewest_pairs
from surefoot.store.margin import Margin

Basis = Literal["nothing", "one run", "seeds", "against"]

Answer = Literal["ahead", "behind", "equal", "not worse", "open"]
"""The finding about one of a pair. `not worse` by the margin may be better by more."""


@dataclass(frozen=True)
class Pair:
    """The best setting against another of its family, on the `n` seeds that both have.

    Attributes:
        difference: mean paired difference in the test metric, `other` minus `best`.
        low: lower end of its 95 % t interval, unadjusted; `high` is the upper one.
        p: p-value after Holm's correction; None with too few seeds.
        ahead: whether the best has the better mean of the two.
        diverged: number of these seeds on which the other diverged.
        closeness: closeness of the best as a and the other as b; None without a margin.
        reference: whether `best` is the reference that all are compared with.
    """

    best: str
    other: str
    difference: float
    low: float
    high: float
    p: float | None
    n: int
    ahead: bool
    diverged: int
    closeness: Closeness | None = None
    reference: bool = False

    @property
    def distinguishable(self) -> bool:
        """Whether the adjusted p-value is at most 0.05."""
        return self.p is not None and self.p <= ALPHA

    @property
    def answer(self) -> Answer:
        """The finding about the best or, with a reference, about the other.

        A clear difference counts even where it is smaller than the margin.
        """
        if self.distinguishable:
            return "ahead" if self.ahead != self.reference else "behind"
        near = self.closeness
        if near is None or not (near.b_holds if self.reference else near.a_holds):
            return "open"
        return "equal" if near.equal else "not worse"


@dataclass(frozen=True)
class Verdict:
    """The claims about the test metric, in labels and numbers.

    Where the question compares all with one optimizer, that one is `against`. Then `pairs`, `ties`, `behind` and
    `ahead` are about it, and `best` has the best mean difference from it.

    Attributes:
        basis: what the verdict rests on; where that is nothing, `best` is None.
        ties: optimizers not separated from the best.
        behind: optimizers that are worse; `open` ones are neither, as no test compared them with the best.
        yardstick: the noise of the test set, a fraction; for one run of a share only.
        pairs: the best with each other; for several seeds only.
        scores: first score of each in one run; mean over seeds with several, where a diverged seed counts as `lost`.
        lost: score of a seed that diverged; None where none did.
        apart: optimizers that share too few seeds with the best to be ranked.
        trusted: number of seeds from which no t-test is needed; None where none was used.
        looks: numbers of seeds at each verdict so far, for the pair with the most looks.
    """

    basis: Basis = "nothing"
    best: str | None = None
    ties: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    yardstick: float | None = None
    pairs: tuple[Pair, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    lost: float | None = None
    apart: tuple[str, ...] = ()
    trusted: int | None = None
    looks: tuple[int, ...] = ()
    against: str = ""
    ahead: tuple[str, ...] = ()
    margin: Margin | None = None

    @property
    def equal(self) -> tuple[str, ...]:
        """The ties that are equal to the best within the margin."""
        return tuple(pair.other for pair in self.pairs if pair.answer == "equal")


def judge(
    results: Mapping[str, Scores],
    scale: Scale,
    comparisons: Sequence[Comparison],
    margin: Margin | None = None,
    out: Collection[str] | None = None,
    against: str = "",
) -> Verdict:
    """Return the verdict on test metrics.

    Args:
        results: test metrics by label and seed, of finished trials; NaN where one diverged.
        scale: scale of the metric.
        comparisons: result of `pairwise.compare_all`.
        margin: margin of these comparisons.
        out: labels of arms that left after a look, as another was ahead of them; None without planned looks. With looks
            the means are of different seeds, so an arm behind another is never the best, whatever its mean.
        against: label that all are compared with; empty for another question.
    """
    finished = {label: [score for score in scores.values() if not isnan(score)] for label, scores in results.items()}
    means = {label: fmean(scores) for label, scores in finished.items() if scores}
    repeated = [label for label, scores in results.items() if len(scores) >= 2]
    alone = [label for label in means if len(finished[label]) == len(results[label])]
    if len(repeated) >= 2 and any(label in means for label in repeated):
        known = [label for label in repeated if label in means]
        if against in known:
            return replace(_judge_against(results, known, scale, comparisons, against), margin=margin)
        behind = set() if out is None else {*out, *_behind(comparisons)}
        rivals = [label for label in known if label not in behind]
        return replace(_without(_judge_seeds(results, rivals or known, scale, comparisons), out or ()), margin=margin)
    if len(alone) >= 2:
        return _judge_once({label: finished[label][0] for label in alone}, scale)
    return Verdict(scores={label: means[label] for label in alone or means})


def noise(share: float, test_size: int) -> float:
    """Return the 95 % yardstick for the difference of two shares of `test_size` examples each.

    A share of 1 is taken as one error, and of 0 as one hit: none seen does not mean that none are possible.
    """
    p = min(max(share, 1 / test_size), 1 - 1 / test_size)
    return NormalDist().inv_cdf((1 + LEVEL) / 2) * sqrt(2 * p * (1 - p) / test_size)


def _judge_once(scores: Mapping[str, float], scale: Scale) -> Verdict:
    """Return the verdict if at most one setting has several seeds: each counts with its first finished seed."""
    best = max(scores, key=lambda label: scale.gain(scores[label]))
    lost = {label: scale.gain(scores[best] - score) for label, score in scores.items() if label != best}
    yardstick = noise(scores[best], scale.test_size) if scale.metric.share else None
    ties = tuple(label for label in lost if yardstick is not None and lost[label] <= yardstick)
    behind = tuple(label for label in lost if yardstick is not None and lost[label] > 2 * yardstick)
    rest = tuple(label for label in lost if label not in ties + behind)
    return Verdict("one run", best, ties, behind, rest, yardstick, scores=scores)


def _judge_seeds(
    found: Mapping[str, Scores],
    labels: Sequence[str],
    scale: Scale,
    comparisons: Sequence[Comparison],
    centre: str = "",
) -> Verdict:
    scores = counted(found, scale)
    means = {label: fmean(scores[label].values()) for label in labels}
    best = centre or max(means, key=lambda label: scale.gain(means[label]))
    pairs = tuple(_pair(best, row, found) for row in comparisons if best in (row.a, row.b))
    ties = tuple(pair.other for pair in pairs if pair.p is not None and not pair.distinguishable)
    behind = tuple(pair.other for pair in pairs if pair.distinguishable and pair.ahead)
    rest = tuple(label for label in found if label not in (best, *ties, *behind))
    apart = [label for label in rest if len(found[label].keys() & found[best].keys()) < 2]
    apart += [pair.other for pair in pairs if pair.distinguishable and not pair.ahead]
    lost = _lost(found, scores)
    looks = max((row.looks for row in comparisons if best in (row.a, row.b)), key=len, default=())
    trusted = _trusted(comparisons)
    return Verdict("seeds", best, ties, behind, rest, None, pairs, means, lost, tuple(apart), trusted, looks)


def _behind(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """Yield the labels of optimizers that another is ahead of."""
    yield from (row.worse for row in comparisons if row.distinguishable)


def _without(verdict: Verdict, out: Collection[str]) -> Verdict:
    """Return the verdict without arms that left among its ties: another was ahead of them, if not the best."""
    left = tuple(label for label in verdict.ties if label in out)
    ties = tuple(label for label in verdict.ties if label not in out)
    return replace(verdict, ties=ties, open=(*verdict.open, *left))


def _judge_against(
    found: Mapping[str, Scores], labels: Sequence[str], scale: Scale, comparisons: Sequence[Comparison], against: str
) -> Verdict:
    """Return the verdict for a comparison with one: `_judge_seeds` with that one in the place of the best."""
    rows = [row for row in comparisons if against in (row.a, row.b) and row.is_main]
    verdict = _judge_seeds(found, labels, scale, rows, against)
    pairs = tuple(replace(pair, reference=True) for pair in verdict.pairs)
    gains = {against: 0.0, **{pair.other: scale.gain(pair.difference) for pair in pairs}}
    ahead = tuple(pair.other for pair in pairs if pair.distinguishable and not pair.ahead)
    best = max(gains, key=gains.__getitem__)
    rest = tuple(pair.other for pair in pairs if pair.p is None)
    return replace(verdict, basis="against", best=best, pairs=pairs, against=against, ahead=ahead, apart=(), open=rest)


def _lost(found: Mapping[str, Scores], scores: Mapping[str, Scores]) -> float | None:
    """Return the score of a diverged seed; None where none of the optimizers with several seeds has one."""
    repeated = [name for name, own in found.items() if len(own) >= 2]
    return next((scores[name][seed] for name in repeated for seed in found[name] if isnan(found[name][seed])), None)


def _pair(best: str, row: Comparison, scores: Mapping[str, Scores]) -> Pair:
    """Return the comparison as "other minus best"."""
    row = row if row.b == best else row.turned
    gap, lost = row.difference, sum(isnan(score) for seed, score in scores[row.a].items() if seed in scores[best])
    close = row.closeness and row.closeness.turned
    return Pair(best, row.a, gap.mean, gap.low, gap.high, row.p, row.n, row.better == best, lost, close)


def _trusted(comparisons: Sequence[Comparison]) -> int | None:
    """Return the seeds from which the permutation test replaces the t-test; None where that was not used."""
    return max((fewest_pairs(row.together) for row in comparisons if row.is_assumed), default=None)
