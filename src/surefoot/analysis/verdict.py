"""The verdict: a few sentences that claim no more than the seeds allow.

With one seed the only yardstick at hand is the sampling noise of the test set, 1.96 sqrt(2 p (1 - p) / n). It is a
lower limit, because the seed adds its own, so it can keep rows together but never prove them apart: rows beyond twice
the yardstick are called behind "in this one run", and rows between are left open.

With two or more seeds every pair of arms is compared by paired differences, and Holm's correction runs over all
pairs, although only those with the best are told: the best was picked by looking at the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt
from statistics import fmean

from surefoot.analysis.arms import Arm
from surefoot.analysis.intervals import Difference, holm, paired_difference
from surefoot.analysis.wording import capitalized, in_words, join, minus, percent, points, seeds, signed_points

ALPHA = 0.05


@dataclass(frozen=True)
class Pair:
    """The best arm against another: mean paired difference in test accuracy (`other` minus `best`, a fraction), its
    95 % t interval (unadjusted), the Holm-adjusted p-value, and the number of seeds that both finished.
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
    """What can be said about test accuracy: the sentences, and the labels they rest on.

    `best` is None when nothing was compared. `ties` are not separated from the best, `behind` are worse, `open` are
    neither. `yardstick` (a fraction) is set for one seed, `pairs` for several.
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


def judge(arms: Sequence[Arm], test_size: int) -> Verdict:
    """The verdict on arms that were tested on `test_size` images; unfinished and failed trials are left out.

    Its sentences say "tuned Adam" for the label "Adam tuned", and "untuned Adam" for "Adam" beside it.
    """
    spoken = in_words([arm.label for arm in arms])
    verdict = _judge([replace(arm, label=spoken[arm.label]) for arm in arms], test_size)
    return _written(verdict, {words: label for label, words in spoken.items()})


def _judge(arms: Sequence[Arm], test_size: int) -> Verdict:
    able = [arm for arm in arms if arm.finished]
    if len(able) < 2:
        return Verdict((*_nothing_to_compare(able), *_casualties(arms)))
    repeated = [arm for arm in able if len(arm.finished) >= 2]
    verdict = _judge_seeds(able, repeated, test_size) if len(repeated) >= 2 else _judge_once(able, test_size)
    return replace(verdict, sentences=(*verdict.sentences, *_casualties(arms)))


def _written(verdict: Verdict, labels: Mapping[str, str]) -> Verdict:
    """The verdict with the labels themselves, but for its sentences."""
    best = None if verdict.best is None else labels[verdict.best]
    ties, behind, rest = (
        tuple(labels[words] for words in group) for group in (verdict.ties, verdict.behind, verdict.open)
    )
    pairs = tuple(replace(pair, best=labels[pair.best], other=labels[pair.other]) for pair in verdict.pairs)
    sentences = tuple(capitalized(sentence) for sentence in verdict.sentences)
    return replace(verdict, sentences=sentences, best=best, ties=ties, behind=behind, open=rest, pairs=pairs)


def noise(accuracy: float, test_size: int) -> float:
    """The 95 % yardstick for the difference of two accuracies measured on `test_size` images each, as a fraction.

    An accuracy of 1 is taken as one error, since no errors seen does not mean that none are possible.
    """
    p = min(accuracy, 1 - 1 / test_size)
    return 1.96 * sqrt(2 * p * (1 - p) / test_size)


def _judge_once(arms: Sequence[Arm], test_size: int) -> Verdict:
    """The verdict when at most one arm has more than one seed: each arm counts with its first finished seed."""
    scores = {arm.label: next(iter(arm.metrics().values())) for arm in arms}
    best = max(scores, key=scores.__getitem__)
    yardstick = noise(scores[best], test_size)
    gaps = {label: score - scores[best] for label, score in scores.items() if label != best}
    ties = tuple(label for label, gap in gaps.items() if -gap <= yardstick)
    behind = tuple(label for label, gap in gaps.items() if -gap > 2 * yardstick)
    rest = tuple(label for label in gaps if label not in ties + behind)
    sentences = (
        _one_run_order(best, scores[best], gaps, ties, rest, behind),
        f"One seed cannot separate close rows: the sampling noise of {test_size:,} test images alone is "
        f"{points(yardstick)}, and the seed adds its own.",
    )
    return Verdict(sentences, best, ties, behind, rest, yardstick)


def _one_run_order(
    best: str, score: float, gaps: dict[str, float], ties: Sequence[str], rest: Sequence[str], behind: Sequence[str]
) -> str:
    def named(labels: Sequence[str]) -> str:
        return join([f"{label} ({signed_points(gaps[label])})" for label in labels])

    clauses = [f"{best} has the highest test accuracy in this one run ({percent(score)})"]
    if ties:
        clauses.append(f"{named(ties)} {_are(ties)} not separated from it")
    if rest:
        clauses.append(f"{named(rest)} {_are(rest)} below it by too little for one run to settle")
    if behind:
        clauses.append(f"{named(behind)} {_are(behind)} behind in this one run")
    return "; ".join(clauses) + "."


def _judge_seeds(arms: Sequence[Arm], repeated: Sequence[Arm], test_size: int) -> Verdict:
    best = max(repeated, key=lambda arm: fmean(arm.metrics().values()))
    pairs = _pairs_with(best, repeated, test_size)
    ties = tuple(pair.other for pair in pairs if not pair.distinguishable)
    behind = tuple(pair.other for pair in pairs if pair.distinguishable and pair.difference < 0)
    settled = {best.label, *ties, *behind}
    rest = tuple(arm.label for arm in arms if arm.label not in settled)
    return Verdict(_seed_sentences(best, pairs, rest), best.label, ties, behind, rest, None, pairs)


def _pairs_with(best: Arm, arms: Sequence[Arm], test_size: int) -> tuple[Pair, ...]:
    """All pairs are tested and adjusted together; those with the best are returned, as "other minus best"."""
    ordered = [best, *(arm for arm in arms if arm is not best)]
    tested = [(a, b, gap) for a, b in combinations(ordered, 2) if (gap := metric_difference(b, a, test_size))]
    adjusted = holm([gap.p for _, _, gap in tested])
    return tuple(
        Pair(best.label, other.label, gap.mean, gap.low, gap.high, p, gap.n)
        for (first, other, gap), p in zip(tested, adjusted, strict=True)
        if first is best
    )


def metric_difference(a: Arm, b: Arm, test_size: int) -> Difference | None:
    """Test accuracy of `a` minus that of `b`, paired over the seeds that both finished; None with fewer than two."""
    left, right = a.metrics(), b.metrics()
    common = [seed for seed in left if seed in right]
    if len(common) < 2:
        return None
    return paired_difference([left[s] for s in common], [right[s] for s in common], resolution=1 / test_size)


def _seed_sentences(best: Arm, pairs: Sequence[Pair], rest: Sequence[str]) -> tuple[str, ...]:
    scores = list(best.metrics().values())
    short = len(pairs) > 4  # a sentence with more numbers is not read; `pairs` has them
    lead = f"{best.label} has the highest mean test accuracy ({percent(fmean(scores))}, {seeds(len(scores))})"
    behind = [_ahead_of(pair, short) for pair in pairs if pair.distinguishable and pair.difference < 0]
    ties = [_tied_with(pair, short) for pair in pairs if not pair.distinguishable]
    sentences = [f"{lead}, ahead of {join(behind)}." if behind else f"{lead}."]
    if ties:
        sentences.append(f"Not distinguishable from {best.label}: {join(ties)}.")
    if rest:
        sentences.append(f"{join(rest)} cannot be ranked against it on the seeds that they share.")
    return tuple(sentences)


def _ahead_of(pair: Pair, short: bool) -> str:
    bounds = _bounds(-pair.high, -pair.low)
    return pair.other if short else f"{pair.other} by {points(-pair.difference)} {bounds}"


def _tied_with(pair: Pair, short: bool) -> str:
    difference = f"{signed_points(pair.difference)} {_bounds(pair.low, pair.high)}"
    return pair.other if short else f"{pair.other} ({difference}, {seeds(pair.n)}, adjusted p = {pair.p:.2f})"


def _bounds(low: float, high: float) -> str:
    return f"[{minus(f'{100 * low:.2f}')}, {minus(f'{100 * high:.2f}')}]"


def _nothing_to_compare(able: Sequence[Arm]) -> tuple[str, ...]:
    if not able:
        return ("No trial has finished: there is no verdict.",)
    scores = list(able[0].metrics().values())
    result = f"{percent(fmean(scores))} test accuracy, {seeds(len(scores))}"
    return (f"Only {able[0].label} has finished ({result}): there is nothing to compare it with.",)


def _casualties(arms: Sequence[Arm]) -> list[str]:
    """One sentence for each way in which trials did not finish."""
    ways = {
        "diverged": [(arm, len(arm.diverged)) for arm in arms],
        "failed": [(arm, len(arm.with_status("failed"))) for arm in arms],
        "unfinished and left out": [(arm, len(arm.with_status("running"))) for arm in arms],
    }
    named = {way: [_counted(arm, count) for arm, count in counts if count] for way, counts in ways.items()}
    return [f"{way.capitalize()}: {join(labels)}." for way, labels in named.items() if labels]


def _counted(arm: Arm, count: int) -> str:
    return arm.label if len(arm.trials) == 1 else f"{arm.label} ({count} of {seeds(len(arm.trials))})"


def _are(labels: Sequence[str]) -> str:
    return "is" if len(labels) == 1 else "are"
