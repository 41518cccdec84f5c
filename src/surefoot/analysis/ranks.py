"""The same optimizers ranked three ways: after equal steps, after equal seconds, and by what tuning them cost.

A rank is one more than how many others are better, and better is what the paired test separates, as in the verdict. Two
that no test separates from each other may share a rank; nothing is ranked where no pair had seeds enough to be tested.

- **Steps**: the test metric after the last step, which all take alike. It is the verdict's own test.
- **Seconds**: the validation metric when the quickest optimizer, by its median trial, has ended. The others are read
  off their curves there, on the line between two evaluations; one not evaluated by then counts as diverged.
- **Tuning**: trainings that were spent before its final setting was known. These are counted, so they need no test.

Where all were compared with one, most pairs were not tested, and nothing is ranked.

An optimizer that was tuned takes part as it was tuned: its untuned self was another question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from statistics import fmean, median
from typing import Literal

import numpy as np

from surefoot.analysis.pairwise import Comparison, Scores, counted
from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Setting, tuned_from
from surefoot.store.records import Record

By = Literal["steps", "seconds", "tuning"]


@dataclass(frozen=True)
class Place:
    """Where an optimizer stands: its rank from 1, whether another has the same, and the value that it is ranked by.

    The value is a mean, in which a seed that diverged counts as in the verdict, None where all did; of tuning it counts
    trainings.
    """

    label: str
    rank: int
    shared: bool
    value: float | None


@dataclass(frozen=True)
class Ranking:
    """One ranking, the best first. `at` is after how many steps or seconds; None for tuning, or where it is unknown."""

    by: By
    at: float | None
    places: tuple[Place, ...]


def rankings(
    arms: Sequence[Setting],
    comparisons: Sequence[Comparison],
    records: Sequence[Record],
    scale: Scale,
    test: Callable[[Mapping[str, Scores], Scale], Sequence[Comparison]],
) -> tuple[Ranking, ...]:
    """The three rankings; none where no pair was tested, and seconds only where curves tell them.

    Args:
        arms: the settings that were measured.
        comparisons: the tests of the verdict.
        records: every trial, those that tuned among them.
        scale: of the metric.
        test: compares every pair on other scores, at the looks of the verdict.
    """
    final = [arm for arm in arms if arm.judged and arm.label not in tuned_from(arms).values()]
    labels = {arm.label for arm in final}
    tested = [row for row in comparisons if {row.a, row.b} <= labels]
    if not any(row.p is not None for row in tested):
        return ()
    found = [_by_score("steps", {arm.label: arm.results() for arm in final}, tested, scale, _steps(final))]
    at, results = _at_equal_seconds(final)
    if at is not None:
        sized = replace(scale, test_size=final[0].trials[0].protocol.validation_size or scale.test_size)
        rows = test(results, sized)
        found.append(_by_score("seconds", results, rows, scale, at))
    spent = Counter(record.label for record in records if record.purpose == "tune" and record.status != "running")
    costs = {arm.label: float(spent[arm.label]) for arm in final}
    return (
        *found,
        Ranking("tuning", None, _places(costs, {a: {b for b in costs if costs[b] < costs[a]} for a in costs})),
    )


def _by_score(
    by: By, results: Mapping[str, Mapping[int, float]], rows: Sequence[Comparison], scale: Scale, at: float | None
) -> Ranking:
    better: dict[str, set[str]] = {label: set() for label in results}
    for row in rows:
        if row.distinguishable:
            better[row.b if row.better == row.a else row.a].add(row.better)
    filled = counted(results, scale)
    order = sorted(results, key=lambda label: -scale.gain(fmean(filled[label].values())))
    ended = {label for label in order if not all(map(isnan, results[label].values()))}
    values = {label: fmean(filled[label].values()) if label in ended else None for label in order}
    return Ranking(by, at, _places(values, better))


def _places(values: Mapping[str, float | None], better: Mapping[str, set[str]]) -> tuple[Place, ...]:
    """Place each by how many are better than it; of equal ranks the order of the values stays."""
    ranks = {label: 1 + len(better[label]) for label in values}
    often = Counter(ranks.values())
    order = sorted(values, key=ranks.__getitem__)
    return tuple(Place(label, ranks[label], often[ranks[label]] > 1, values[label]) for label in order)


def _at_equal_seconds(arms: Sequence[Setting]) -> tuple[float | None, dict[str, dict[int, float]]]:
    """When the quickest has ended, and every validation metric at that time; None where no curves tell."""
    lasting = [median(ends) for arm in arms if (ends := [one.epochs[-1].seconds for one in arm.finished if one.epochs])]
    known = all(not isnan(epoch.validation_metric) for arm in arms for one in arm.finished for epoch in one.epochs)
    if len(lasting) < len(arms) or not known or min(lasting) <= 0:
        return None, {}
    at = min(lasting)
    return at, {arm.label: {one.seed: _when(one, at) for one in arm.judged} for arm in arms}


def _when(trial: Record, seconds: float) -> float:
    """The validation metric of a trial at a time; not a number before its first evaluation, or where it diverged."""
    if trial.status != "finished" or not trial.epochs:
        return nan
    times, values = zip(*((one.seconds, one.validation_metric) for one in trial.epochs), strict=True)
    return float(np.interp(seconds, times, values, left=nan))


def _steps(arms: Sequence[Setting]) -> float | None:
    return arms[0].trials[0].protocol.steps or None
