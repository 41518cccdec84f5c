"""The same optimizers ranked three ways: after equal steps, after equal seconds, and by the cost of tuning.

A rank is 1 plus the number of better optimizers: those that the paired test finds ahead, as in the verdict. So
optimizers may share a rank. Without any tested pair nothing is ranked. A tuned optimizer takes part as tuned only.

- **Steps**: the test metric after the last step, by the verdict's own test. All take equally many.
- **Seconds**: the validation metric when the quickest optimizer, by its median trial, has ended. The others are read
  off their curves there, on the line between two evaluations. One not evaluated by then counts as diverged.
- **Tuning**: trainings before the final setting was known. These are counted, so they need no test.
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
    """The place of an optimizer: its rank from 1, whether another has the same, and the value behind it.

    The value is a mean, in which a seed that diverged counts as in the verdict; None where all did. For tuning it is a
    number of trainings.
    """

    label: str
    rank: int
    shared: bool
    value: float | None


@dataclass(frozen=True)
class Ranking:
    """One ranking, the best first, taken `at` a number of steps or seconds; None for tuning or an unknown number."""

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
    """Return the three rankings; none without a tested pair, and seconds only where there are curves.

    Args:
        arms: the settings that were measured.
        comparisons: the tests of the verdict.
        records: every trial, tuning trials included.
        scale: scale of the metric.
        test: function that compares every pair on other scores, at the looks of the verdict.
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
            better[row.worse].add(row.better)
    filled = counted(results, scale)
    order = sorted(results, key=lambda label: -scale.gain(fmean(filled[label].values())))
    ended = {label for label in order if not all(map(isnan, results[label].values()))}
    values = {label: fmean(filled[label].values()) if label in ended else None for label in order}
    return Ranking(by, at, _places(values, better))


def _places(values: Mapping[str, float | None], better: Mapping[str, set[str]]) -> tuple[Place, ...]:
    """Place each by how many are better; equal ranks keep the order of the values."""
    ranks = {label: 1 + len(better[label]) for label in values}
    often = Counter(ranks.values())
    order = sorted(values, key=ranks.__getitem__)
    return tuple(Place(label, ranks[label], often[ranks[label]] > 1, values[label]) for label in order)


def _at_equal_seconds(arms: Sequence[Setting]) -> tuple[float | None, dict[str, dict[int, float]]]:
    """Return when the quickest has ended, and every validation metric at that time; None without curves."""
    lasting = [median(ends) for arm in arms if (ends := [one.epochs[-1].seconds for one in arm.finished if one.epochs])]
    known = all(not isnan(epoch.validation_metric) for arm in arms for one in arm.finished for epoch in one.epochs)
    if len(lasting) < len(arms) or not known or min(lasting) <= 0:
        return None, {}
    at = min(lasting)
    return at, {arm.label: {one.seed: _when(one, at) for one in arm.judged} for arm in arms}


def _when(trial: Record, seconds: float) -> float:
    """Return the validation metric of a trial at a time; NaN before its first evaluation, or if it diverged."""
    if trial.status != "finished" or not trial.epochs:
        return nan
    times, values = zip(*((one.seconds, one.validation_metric) for one in trial.epochs), strict=True)
    return float(np.interp(seconds, times, values, left=nan))


def _steps(arms: Sequence[Setting]) -> float | None:
    return arms[0].trials[0].protocol.steps or None
