"""The price of not tuning: what each untuned optimizer loses against the tuned one, and what it saves.

Costs are counted in trainings, as the records have them: all that tuning tried, its finals, and the training that is
kept. A range test is counted by its steps.

Each optimizer is tested on both sides of the margin. These tests are one family, with an error rate of 5 % in all
(one-sided paired t-tests, Holm's steps). Seeds that are added later are another look. A seed that diverged scores as in
every other comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from surefoot.analysis.pairwise import Comparison, counted
from surefoot.analysis.result_row import ResultRow
from surefoot.analysis.summary import Summary
from surefoot.errors import UsageError
from surefoot.statistics.equivalence import adjusted, short_of
from surefoot.statistics.intervals import ALPHA, Interval, PairedDifference
from surefoot.statistics.looks import Looks
from surefoot.store.margin import Margin
from surefoot.store.protocol import Metric

POINTS, PART = Margin(0.003), Margin(0.02, relative=True)
"""The default margins: 0.3 points for a share, such as an accuracy, and 2 % of any other metric."""

Claim = Literal["not worse", "worse", "open"]


@dataclass(frozen=True)
class Price:
    """The price of one optimizer that was not tuned.

    Attributes:
        label: the optimizer.
        score: its test metric over the finished seeds.
        trainings: its cost in trainings; 1 for the one that is kept.
        saved: trainings that it needs less than the tuned one.
        lost: lead of the tuned one, paired by seed, in the unit of the metric; below zero if the tuned one is worse.
        diverged: number of seeds on which it diverged.
        claim: "not worse" than the tuned one by the margin, "worse" by more than that, or "open".
    """

    label: str
    score: Interval | None
    trainings: float
    saved: float
    lost: PairedDifference | None
    diverged: int
    claim: Claim


@dataclass(frozen=True)
class Prices:
    """The prices of all untuned optimizers, beside the tuned one.

    Attributes:
        study: name of the study.
        metric: metric that judges it.
        tuned: the optimizer that was tuned.
        score: its test metric over the finished seeds.
        trainings: its cost in trainings.
        margin: difference by which another one may be worse.
        rows: the optimizers that were not tuned, in the order of the study.
    """

    study: str
    metric: Metric
    tuned: str
    score: Interval | None
    trainings: float
    margin: Margin
    rows: tuple[Price, ...]


def usual_margin(metric: Metric) -> Margin:
    """Return the default margin: how much worse an optimizer may be."""
    return POINTS if metric.share else PART


def price_of(summary: Summary) -> Prices | None:
    """Return the price of not tuning, for a study that asks for it; None for any other, or before its end."""
    asked = summary.design and summary.design.over
    return prices(summary) if asked and len(_tuned(summary)) == 1 else None


def prices(summary: Summary) -> Prices:
    """Return the price of not tuning, from a study in which one optimizer was tuned.

    Args:
        summary: summary of the study; its verdict has the margin, else the default one is used.

    Raises:
        UsageError: not exactly one optimizer was tuned and measured.
    """
    rows, tuned = {row.label: row for row in summary.rows}, _tuned(summary)
    if len(tuned) != 1:
        raise UsageError(f"{len(tuned)} optimizers were tuned and measured; the price of not tuning needs exactly one.")
    best, others = rows[tuned[0]], [row for row in summary.rows if row.label != tuned[0]]
    margin = summary.verdict.margin or usual_margin(summary.metric)
    whole = 1.0 + sum(record.purpose == "tune" for record in summary.records)
    found = _against(best.label, summary)
    claims = _claims(best.label, found, summary, margin)
    before = {one.label: one.range_test for one in (summary.design.optimizers if summary.design else ())}

    def price(row: ResultRow) -> Price:
        cost = 1 + before.get(row.label, 0) / (summary.protocol.steps or 1)
        lost = found[row.label].difference if row.label in found else None
        return Price(row.label, row.test_metric, cost, whole - cost, lost, row.diverged, claims.get(row.label, "open"))

    return Prices(summary.study, summary.metric, best.label, best.test_metric, whole, margin, tuple(map(price, others)))


def _tuned(summary: Summary) -> list[str]:
    """Return the optimizers that were tuned and measured."""
    rows = {row.label for row in summary.rows}
    return [row.label for row in summary.tuning if row.label in rows]


def _against(tuned: str, summary: Summary) -> dict[str, Comparison]:
    """Return each optimizer's comparison with the tuned one, turned so that the difference is its loss."""
    pairs = [one if one.a == tuned else one.turned for one in summary.comparisons if tuned in (one.a, one.b)]
    if summary.scale.sign > 0:
        return {one.b: one for one in pairs}
    return {one.b: replace(one, difference=one.turned.difference) for one in pairs}


def _claims(tuned: str, found: Mapping[str, Comparison], summary: Summary, margin: Margin) -> dict[str, Claim]:
    """Return the claim about each optimizer that has enough seeds for a test."""
    scores = counted({arm.label: arm.results() for arm in summary.arms if arm.judged}, summary.scale)
    tested = {label: pair for label, pair in found.items() if pair.looks}
    p_values = []
    for label, pair in tested.items():
        seeds = sorted(scores[label].keys() & scores[tuned].keys())
        looks = Looks(pair.looks, pair.looks[0])
        room = [_room(scores[tuned][seed], scores[label][seed], summary, margin) for seed in seeds]
        step = summary.scale.resolution
        p_values.append((short_of(room, looks, step), short_of([-left for left in room], looks, step)))
    return {label: _claim(*both) for label, both in zip(tested, adjusted(p_values), strict=True)}


def _room(best: float, other: float, summary: Summary, margin: Margin) -> float:
    """Return how much more an optimizer may lose on a seed before it has lost the margin."""
    return margin.of(best, other) - summary.scale.gain(best - other)


def _claim(not_worse: float, worse: float) -> Claim:
    return "not worse" if not_worse <= ALPHA else "worse" if worse <= ALPHA else "open"
