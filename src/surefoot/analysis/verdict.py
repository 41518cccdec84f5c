"""The verdict: a few sentences that claim no more than the seeds allow.

With one seed the only yardstick at hand is the sampling noise of the test set, 1.96 sqrt(2 p (1 - p) / n), and only a
share such as accuracy has one. It is a lower limit, because the seed adds its own, so it can keep rows together but
never prove them apart: rows beyond twice the yardstick are called behind "in this one run", and rows between are left
open, as are all where there is no yardstick. An optimizer that diverged with another seed has no say in it.

With several seeds the best has the best mean of all, where a seed that diverged counts as worse than every score
(`divergence`). What it is said to be ahead of rests on tests (`pairwise`): Holm's correction runs over all pairs of a
family, although only those with the best are told, as the best was picked by looking at the same numbers. With fewer
than 5 seeds nothing is tested, and an optimizer of another family (`families`) is left open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, sqrt
from statistics import fmean

from surefoot.analysis.arms import Arm, tuned_from
from surefoot.analysis.divergence import Scores, counted
from surefoot.analysis.intervals import ALPHA, Difference, paired_difference
from surefoot.analysis.pairwise import FEWEST_PAIRS, Comparison, compare_all
from surefoot.analysis.permutation import fewest_pairs
from surefoot.analysis.scale import Scale
from surefoot.analysis.verdict_words import casualties, nothing_to_compare, one_run_limit, one_run_order
from surefoot.analysis.wording import capitalized, in_words, join, p_value, seeds


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
class Verdict:
    """What can be said about the test metric: the sentences, and the labels they rest on.

    `best` is None when nothing was compared. `ties` are not separated from the best, `behind` are worse, `open` are
    neither, as they were not tested against it. `yardstick` (a fraction) is set for one seed of a share, `pairs` for
    several seeds.
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
    """Every arm against every other of its family on their test metrics."""
    return compare_all(results(arms), scale.resolution, higher=scale.sign > 0, tuned_from=tuned_from(arms))


def results(arms: Sequence[Arm]) -> dict[str, dict[int, float]]:
    """The test metric of every arm that has any trial to judge, by seed, not a number where it diverged."""
    return {arm.label: arm.results() for arm in arms if arm.judged}


def judge(arms: Sequence[Arm], scale: Scale, comparisons: Sequence[Comparison] | None = None) -> Verdict:
    """The verdict on arms whose test metrics are on this scale; unfinished and failed trials are left out.

    Its sentences say "tuned Adam" for the label "Adam tuned", and "untuned Adam" for "Adam" beside it.

    Args:
        arms: the arms to be judged, with their own labels.
        scale: of their metric.
        comparisons: what `compare_arms` made of them, if that is known already.
    """
    known = compare_arms(arms, scale) if comparisons is None else comparisons
    spoken = in_words([arm.label for arm in arms], tuned_from(arms))
    said = [replace(row, a=spoken[row.a], b=spoken[row.b], better=spoken[row.better]) for row in known]
    verdict = _judge([replace(arm, label=spoken[arm.label]) for arm in arms], scale, said)
    return _written(verdict, {words: label for label, words in spoken.items()})


def _judge(arms: Sequence[Arm], scale: Scale, comparisons: Sequence[Comparison]) -> Verdict:
    repeated = [arm for arm in arms if len(arm.judged) >= 2]
    alone = [arm for arm in arms if arm.finished and not arm.diverged]
    if len(repeated) >= 2 and any(arm.finished for arm in repeated):
        verdict = _judge_seeds(arms, repeated, scale, comparisons)
    elif len(alone) >= 2:
        verdict = _judge_once(alone, scale)
    else:
        verdict = Verdict(nothing_to_compare(alone, scale))
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
    found = results(arms)
    scores = counted(found, higher=scale.sign > 0)
    best = max(repeated, key=lambda arm: scale.gain(fmean(scores[arm.label].values())))
    pairs = tuple(_pair(best.label, row, found) for row in comparisons if best.label in (row.a, row.b))
    ties = tuple(pair.other for pair in pairs if pair.p is not None and not pair.distinguishable)
    behind = tuple(pair.other for pair in pairs if pair.distinguishable and pair.ahead)
    rest = tuple(label for label in found if label not in (best.label, *ties, *behind))
    apart = [label for label in rest if len(found[label].keys() & found[best.label].keys()) < 2]
    apart += [pair.other for pair in pairs if pair.distinguishable and not pair.ahead]
    sentences = (*_lead(best, repeated, pairs, scale), *_beside(best, pairs, apart, scale), *_assumption(comparisons))
    return Verdict((*sentences, *_divergence(repeated)), best.label, ties, behind, rest, None, pairs)


def _pair(best: str, row: Comparison, scores: Mapping[str, Scores]) -> Pair:
    """The comparison as "other minus best"."""
    other, sign = (row.a, 1) if row.b == best else (row.b, -1)
    gap, lost = row.difference, sum(isnan(score) for seed, score in scores[other].items() if seed in scores[best])
    mean, low, high = (
        (None, None, None) if gap is None else (sign * gap.mean, *sorted((sign * gap.low, sign * gap.high)))
    )
    return Pair(best, other, mean, low, high, row.p, row.n, row.better == best, lost)


def _assumption(comparisons: Sequence[Comparison]) -> list[str]:
    """What is taken on trust where there are too few seeds for the permutation test."""
    tested = Counter(row.family for row in comparisons if row.p is not None)
    trusting = {row.family for row in comparisons if row.test == "t"}
    if not trusting:
        return []
    enough = max(fewest_pairs(comparisons=tested[family]) for family in trusting)
    return [f"With fewer than {seeds(enough)} this assumes that differences scatter normally (t-test)."]


def _divergence(arms: Sequence[Arm]) -> list[str]:
    lost = any(arm.diverged for arm in arms)
    return ["A seed that diverged counts as worse than every score."] if lost else []


def metric_difference(a: Arm, b: Arm, scale: Scale) -> Difference | None:
    """Test metric of `a` minus that of `b`, paired over the seeds that both finished; None with fewer than two."""
    left, right = a.metrics(), b.metrics()
    common = [seed for seed in left if seed in right]
    if len(common) < 2:
        return None
    return paired_difference([left[s] for s in common], [right[s] for s in common], scale.resolution)


def _lead(best: Arm, arms: Sequence[Arm], pairs: Sequence[Pair], scale: Scale) -> list[str]:
    """The best, why it is, and what it is ahead of."""
    means = {arm.label: fmean(arm.metrics().values()) for arm in arms if arm.finished}
    figures = f"({scale.value(means[best.label])}, {_finished(best)})"
    first = scale.best(means.values()) == means[best.label]
    mean = f"the {scale.superlative} mean test {scale.name}"
    lead = (
        f"{best.label} has {mean} {figures}"
        if first
        else (f"{best.label} has {mean} {figures} of the optimizers of which the fewest seeds diverged")
    )
    behind = [_ahead_of(pair, _short(pairs), scale) for pair in pairs if pair.distinguishable and pair.ahead]
    return [f"{lead}, ahead of {join(behind)}." if behind else f"{lead}."]


def _finished(arm: Arm) -> str:
    return f"{len(arm.finished)} of {seeds(len(arm.judged))}" if arm.diverged else seeds(len(arm.finished))


def _beside(best: Arm, pairs: Sequence[Pair], apart: Sequence[str], scale: Scale) -> list[str]:
    """What the best is not ahead of, and why; those `apart` share too few seeds with it."""
    level = [pair for pair in pairs if not pair.distinguishable]
    ties = [_numbered(pair, _short(pairs), scale) for pair in level if pair.p is not None]
    few = [_numbered(pair, _short(pairs), scale) for pair in level if pair.p is None]
    sentences = []
    if ties:
        sentences.append(f"Not distinguishable from {best.label}: {join(ties)}.")
    if few:
        sentences.append(f"Not settled, as a difference takes {FEWEST_PAIRS} seeds or more: {join(few)}.")
    if apart:
        sentences.append(f"{join(apart)} cannot be ranked against it on the seeds that they share.")
    return sentences


def _short(pairs: Sequence[Pair]) -> bool:
    """Whether numbers are left out: a sentence with more of them is not read, and `Verdict.pairs` has them."""
    return len(pairs) > 4


def _ahead_of(pair: Pair, short: bool, scale: Scale) -> str:
    if short:
        return pair.other
    if pair.diverged or pair.difference is None or pair.low is None or pair.high is None:
        return f"{pair.other} ({pair.diverged} of {seeds(pair.n)} diverged)"
    low, high = sorted(-scale.gain(bound) for bound in (pair.low, pair.high))
    return f"{pair.other} by {scale.size(abs(pair.difference))} {_bounds(low, high, scale)}"


def _numbered(pair: Pair, short: bool, scale: Scale) -> str:
    """One that is not told apart, with its numbers."""
    if short:
        return pair.other
    if pair.difference is None or pair.low is None or pair.high is None:
        said = [f"{pair.diverged} of {seeds(pair.n)} diverged"]
    else:
        said = [f"{scale.signed(pair.difference)} {_bounds(pair.low, pair.high, scale)}", seeds(pair.n)]
        said += [f"{pair.diverged} of them diverged"] if pair.diverged else []
    said += [] if pair.p is None else [f"adjusted p = {p_value(pair.p)}"]
    return f"{pair.other} ({', '.join(said)})"


def _bounds(low: float, high: float, scale: Scale) -> str:
    return f"[{scale.bare(low)}, {scale.bare(high)}]"
