"""The price of not tuning: what each optimizer loses that was not tuned, against the one that was, and what it saves.

Costs are counted in trainings, as the records have them: all that tuning tried, its finals, and the training that is
kept. What ran before, such as a range test, is told by its steps. The interval of what is lost is that of the paired
differences, 95 % on two sides: a claim that lies on one side of the margin is false at most once in 40 times.

An optimizer that diverged on a seed is never called as good: what it lost there has no number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from surefoot.analysis.scale import Scale, scale_of
from surefoot.analysis.settings import Setting, group
from surefoot.errors import Argument, UsageError
from surefoot.statistics.intervals import Interval, PairedDifference, paired_difference, t_interval
from surefoot.store.protocol import Metric
from surefoot.store.records import Record

POINTS = 0.003
"""The margin for a share, such as an accuracy: 0.3 points."""

PART = 0.02
"""The margin for any other metric, as a part of what the tuned optimizer has in the mean."""

Claim = Literal["not worse", "worse", "open"]


@dataclass(frozen=True)
class Price:
    """One optimizer that was not tuned.

    Attributes:
        label: the optimizer.
        score: its test metric over seeds.
        trainings: what it costs, in trainings, 1 for the one that is kept.
        saved: by how much that is less than with tuning.
        lost: how much better the tuned one is, paired by seed, in the metric's own numbers; below zero if it is worse.
        n: seeds that it finished.
        diverged: seeds on which it diverged.
        claim: "not worse" than the tuned one by as much as the margin, "worse" by more than that, or "open".
    """

    label: str
    score: Interval | None
    trainings: float
    saved: float
    lost: PairedDifference | None
    n: int
    diverged: int
    claim: Claim


@dataclass(frozen=True)
class Prices:
    """All of them, beside the optimizer that was tuned.

    Attributes:
        study: the study.
        metric: what it is judged by.
        tuned: the optimizer that was tuned.
        score: its test metric over seeds.
        trainings: what it costs, in trainings.
        margin: by how much another one may be worse, in the metric's own numbers.
        rows: the optimizers that were not tuned, in the order of the records.
    """

    study: str
    metric: Metric
    tuned: str
    score: Interval | None
    trainings: float
    margin: float
    rows: tuple[Price, ...]


def prices(records: Sequence[Record], steps_before: Mapping[str, int], margin: float | None = None) -> Prices:
    """The price of not tuning, from the trials of a study in which one optimizer was tuned.

    Args:
        records: all of its trials.
        steps_before: training steps that an optimizer took before its trials, such as those of a range test.
        margin: by how much an optimizer may be worse, in the metric's own numbers; see `POINTS` and `PART`.

    Raises:
        UsageError: not exactly one optimizer was tuned and measured, or a margin that is not above zero.
    """
    searched = [record.label for record in records if record.purpose == "tune"]
    settings, scale = {one.label: one for one in group(records)}, scale_of(records[0].protocol)
    tuned = [settings[label] for label in dict.fromkeys(searched) if label in settings]
    if len(tuned) != 1:
        raise UsageError(f"{len(tuned)} optimizers were tuned and measured; the price of not tuning needs exactly one.")
    best, cost = tuned[0], 1.0 + len(searched)
    score = t_interval(list(best.metrics().values()))
    allowed = _margin(margin, score, scale)
    costs = {label: 1 + steps_before.get(label, 0) / (records[0].protocol.steps or 1) for label in settings}
    rows = tuple(
        _price(one, best, costs[one.label], cost, scale, allowed) for one in settings.values() if one is not best
    )
    return Prices(records[0].study, scale.metric, best.label, score, cost, allowed, rows)


def _margin(given: float | None, score: Interval | None, scale: Scale) -> float:
    if given is not None and not given > 0:
        raise UsageError(Argument("margin"), f" is {given}; give by how much an optimizer may be worse, above zero.")
    return given or (POINTS if scale.metric.share or score is None else PART * abs(score.mean))


def _price(one: Setting, best: Setting, cost: float, tuned_cost: float, scale: Scale, margin: float) -> Price:
    mine, its = one.metrics(), best.metrics()
    both = [seed for seed in its if seed in mine]
    ours, theirs = ([scale.gain(scores[seed]) for seed in both] for scores in (its, mine))
    lost = paired_difference(ours, theirs, scale.resolution) if len(both) > 1 else None
    diverged = len(one.diverged)
    return Price(
        label=one.label,
        score=scale.possible(t_interval(list(mine.values()))),
        trainings=cost,
        saved=tuned_cost - cost,
        lost=lost,
        n=len(mine),
        diverged=diverged,
        claim=_claim(lost, margin, diverged),
    )


def _claim(lost: PairedDifference | None, margin: float, diverged: int) -> Claim:
    if lost is not None and lost.low > margin:
        return "worse"
    return "not worse" if lost is not None and lost.high < margin and not diverged else "open"
