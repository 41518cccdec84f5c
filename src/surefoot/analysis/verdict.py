"""The verdict: a few sentences that claim no more than the seeds allow.

With one seed the only yardstick at hand is the sampling noise of the test set, 1.96 sqrt(2 p (1 - p) / n), and only a
share such as accuracy has one. It is a lower limit, because the seed adds its own, so it can keep rows together but
never prove them apart: rows beyond twice the yardstick are called behind "in this one run", and rows between are left
open, as are all where there is no yardstick.

With two or more seeds every pair of arms is compared (`pairwise`), and Holm's correction runs over all pairs, although
only those with the best are told: the best was picked by looking at the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import fmean

from surefoot.analysis.arms import Arm
from surefoot.analysis.intervals import ALPHA, Difference, paired_difference
from surefoot.analysis.pairwise import Comparison, compare_all
from surefoot.analysis.permutation import fewest_pairs
from surefoot.analysis.scale import Scale
from surefoot.analysis.verdict_words import casualties, nothing_to_compare, one_run_limit, one_run_order
from surefoot.analysis.wording import capitalized, in_words, join, seeds


@dataclass(frozen=True)
class Pair:
    """The best arm against another: mean paired difference in the test metric (`other` minus `best`), its 95 % t
    interval (unadjusted), the Holm-adjusted p-value, and the number of seeds that both finished.
    """

    best: str
    other: str
    difference: float
    low: float
    high: float
    p: float
    n: int

    @property
    def distinguishable(self) -> bool:
        """Whether the adjusted p-value is at most 0.05."""
        return self.p <= ALPHA


@dataclass(frozen=True)
class Verdict:
    """What can be said about the test metric: the sentences, and the labels they rest on.

    `best` is None when nothing was compared. `ties` are not separated from the best, `behind` are worse, `open` are
    neither. `yardstick` (a fraction) is set for one seed of a share, `pairs` for several seeds.
    """

    sentences: tuple[str, ...]
    best: str | None = None
    ties: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    yardstick: float | None = None
    pairs: tuple[Pair, ...] = ()

    @property
    def text(self) -> str:
        """The sentences as one paragraph."""
        return " ".join(self.sentences)


def compare_arms(arms: Sequence[Arm], scale: Scale) -> tuple[Comparison, ...]:
    """Every arm against every other on their test metrics, in the order of the arms."""
    scores = {arm.label: arm.metrics() for arm in arms if arm.finished}
    return compare_all(scores, scale.resolution, higher=scale.sign > 0)


def judge(arms: Sequence[Arm], scale: Scale, comparisons: Sequence[Comparison] | None = None) -> Verdict:
    """The verdict on arms whose test metrics are on this scale; unfinished and failed trials are left out.

    Its sentences say "tuned Adam" for the label "Adam tuned", and "untuned Adam" for "Adam" beside it.

    Args:
        arms: the arms to be judged, with their own labels.
        scale: of their metric.
        comparisons: what `compare_arms` made of them, if that is known already.
    """
    known = compare_arms(arms, scale) if comparisons is None else comparisons
    spoken = in_words([arm.label for arm in arms])
    said = [replace(row, a=spoken[row.a], b=spoken[row.b]) for row in known]
    verdict = _judge([replace(arm, label=spoken[arm.label]) for arm in arms], scale, said)
    return _written(verdict, {words: label for label, words in spoken.items()})


def _judge(arms: Sequence[Arm], scale: Scale, comparisons: Sequence[Comparison]) -> Verdict:
    able = [arm for arm in arms if arm.finished]
    if len(able) < 2:
        return Verdict((*nothing_to_compare(able, scale), *casualties(arms)))
    repeated = [arm for arm in able if len(arm.finished) >= 2]
    several = len(repeated) >= 2
    verdict = _judge_seeds(able, repeated, scale, comparisons) if several else _judge_once(able, scale)
    return replace(verdict, sentences=(*verdict.sentences, *casualties(arms)))


def _written(verdict: Verdict, labels: Mapping[str, str]) -> Verdict:
    """The verdict with the labels themselves, but for its sentences."""
    best = None if verdict.best is None else labels[verdict.best]
    ties, behind, rest = (
        tuple(labels[words] for words in group) for group in (verdict.ties, verdict.behind, verdict.open)
    )
    pairs = tuple(replace(pair, best=labels[pair.best], other=labels[pair.other]) for pair in verdict.pairs)
    sentences = tuple(capitalized(sentence) for sentence in verdict.sentences)
    return replace(verdict, sentences=sentences, best=best, ties=ties, behind=behind, open=rest, pairs=pairs)


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
    order = one_run_order(best, scores[best], gaps, (ties, rest, behind), scale)
    return Verdict((order, one_run_limit(yardstick, scale)), best, ties, behind, rest, yardstick)


def _judge_seeds(
    arms: Sequence[Arm], repeated: Sequence[Arm], scale: Scale, comparisons: Sequence[Comparison]
) -> Verdict:
    best = max(repeated, key=lambda arm: scale.gain(fmean(arm.metrics().values())))
    pairs = tuple(_pair(best.label, row) for row in comparisons if best.label in (row.a, row.b))
    ties = tuple(pair.other for pair in pairs if not pair.distinguishable)
    behind = tuple(pair.other for pair in pairs if pair.distinguishable and scale.gain(pair.difference) < 0)
    settled = {best.label, *ties, *behind}
    rest = tuple(arm.label for arm in arms if arm.label not in settled)
    sentences = (*_seed_sentences(best, pairs, rest, scale), *_assumption(comparisons))
    return Verdict(sentences, best.label, ties, behind, rest, None, pairs)


def _pair(best: str, row: Comparison) -> Pair:
    """The comparison as "other minus best"."""
    gap = row.difference
    if row.b == best:
        return Pair(best, row.a, gap.mean, gap.low, gap.high, row.p, gap.n)
    return Pair(best, row.b, -gap.mean, -gap.high, -gap.low, row.p, gap.n)


def _assumption(comparisons: Sequence[Comparison]) -> list[str]:
    """What is taken on trust where there are too few seeds for the permutation test."""
    if all(row.test == "permutation" for row in comparisons):
        return []
    enough = fewest_pairs(comparisons=len(comparisons))
    return [f"With fewer than {seeds(enough)} this assumes that differences scatter normally (t-test)."]


def metric_difference(a: Arm, b: Arm, scale: Scale) -> Difference | None:
    """Test metric of `a` minus that of `b`, paired over the seeds that both finished; None with fewer than two."""
    left, right = a.metrics(), b.metrics()
    common = [seed for seed in left if seed in right]
    if len(common) < 2:
        return None
    return paired_difference([left[s] for s in common], [right[s] for s in common], scale.resolution)


def _seed_sentences(best: Arm, pairs: Sequence[Pair], rest: Sequence[str], scale: Scale) -> tuple[str, ...]:
    scores = list(best.metrics().values())
    short = len(pairs) > 4  # a sentence with more numbers is not read; `pairs` has them
    lead = (
        f"{best.label} has the {scale.superlative} mean test {scale.name} "
        f"({scale.value(fmean(scores))}, {seeds(len(scores))})"
    )
    behind = [
        _ahead_of(pair, short, scale) for pair in pairs if pair.distinguishable and scale.gain(pair.difference) < 0
    ]
    ties = [_tied_with(pair, short, scale) for pair in pairs if not pair.distinguishable]
    sentences = [f"{lead}, ahead of {join(behind)}." if behind else f"{lead}."]
    if ties:
        sentences.append(f"Not distinguishable from {best.label}: {join(ties)}.")
    if rest:
        sentences.append(f"{join(rest)} cannot be ranked against it on the seeds that they share.")
    return tuple(sentences)


def _ahead_of(pair: Pair, short: bool, scale: Scale) -> str:
    low, high = sorted(-scale.gain(bound) for bound in (pair.low, pair.high))
    return pair.other if short else f"{pair.other} by {scale.size(abs(pair.difference))} {_bounds(low, high, scale)}"


def _tied_with(pair: Pair, short: bool, scale: Scale) -> str:
    difference = f"{scale.signed(pair.difference)} {_bounds(pair.low, pair.high, scale)}"
    return pair.other if short else f"{pair.other} ({difference}, {seeds(pair.n)}, adjusted p = {pair.p:.2f})"


def _bounds(low: float, high: float, scale: Scale) -> str:
    return f"[{scale.bare(low)}, {scale.bare(high)}]"
