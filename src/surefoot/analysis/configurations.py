"""The configurations of a search: what was tried, how each ended, in which ranges, and what that tells of the rate.

Good is near the best: within a percentage point of a share or, for other metrics, within a part of the way from what
is usual after the first epoch to the best, since their unit tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean, median
from typing import Any, Literal

from surefoot.analysis.scale import Scale
from surefoot.statistics.sensitivity import GoodRates, Sensitivity, good_rates, rate_sensitivity
from surefoot.store.design import Search
from surefoot.store.ranges import OneMinus, Uniform
from surefoot.store.records import Record, Status

Spacing = Literal["log", "log of 1 - x", "linear"]
Edge = Literal["lowest", "highest"]

WORST_FIRST: tuple[Status, ...] = ("failed", "diverged", "running", "finished")

GOOD = 0.01
"""A trial is good if its validation metric is within this of its optimizer's best: one percentage point of a share."""

GOOD_PART = 0.05
"""For other metrics: this part of the way from what is usual after the first epoch to the best."""


@dataclass(frozen=True)
class Configuration:
    """One configuration: the searched values, mean validation metric over its `seeds` (None unless all finished).

    One of the best few was run `again` on more seeds.
    """

    values: Mapping[str, float]
    metric: float | None
    status: Status
    chosen: bool
    seeds: tuple[int, ...] = ()
    again: tuple[int, ...] = ()

    @property
    def score(self) -> float:
        """The metric, not a number where there is none."""
        return nan if self.metric is None else self.metric


@dataclass(frozen=True)
class Searched:
    """A hyperparameter that was searched: the range that was tried, and the value that was chosen (None: not yet)."""

    name: str
    low: float
    high: float
    scale: Spacing
    chosen: float | None


def configurations(trials: Sequence[Record], chosen: Mapping[str, float]) -> tuple[Configuration, ...]:
    """The configurations of these trials, in the order in which they were planned; `chosen` is the one that won."""
    by_values: dict[tuple[tuple[str, float], ...], list[Record]] = {}
    for trial in trials:
        by_values.setdefault(tuple(trial.part.configuration.items()), []).append(trial)
    return tuple(_configuration(dict(values), found, chosen) for values, found in by_values.items())


def _configuration(values: dict[str, float], trials: Sequence[Record], chosen: Mapping[str, float]) -> Configuration:
    """How its worst trial ended, and the mean metric where all finished."""
    status = min((trial.status for trial in trials), key=WORST_FIRST.index)
    metrics = [trial.epochs[-1].validation_metric if trial.epochs else nan for trial in trials]
    if status == "finished" and not all(map(isfinite, metrics)):
        status = "diverged"
    again = [trial for trial in trials if trial.part.role == "final"]
    metric = fmean(metrics) if status == "finished" else None
    return Configuration(values, metric, status, values == chosen, seeds_of(trials), seeds_of(again))


def seeds_of(trials: Sequence[Record]) -> tuple[int, ...]:
    """The seeds of these trials, each once."""
    return tuple(sorted({trial.seed for trial in trials}))


def finalists(tried: Sequence[Configuration]) -> tuple[Configuration, ...]:
    """Those that were run again on more seeds; none if all were."""
    last = tuple(one for one in tried if one.again)
    return last if len(last) < len(tried) else ()


def searched(
    search: Search | None, tried: Sequence[Configuration], chosen: Mapping[str, float]
) -> tuple[Searched, ...]:
    """The range that was tried of each hyperparameter of a search, and what was chosen."""
    ranges = search.ranges if search else {}
    found = {name: [one.values[name] for one in tried] for name in (tried[0].values if tried else ())}
    return tuple(
        Searched(name, min(values), max(values), _spacing(ranges.get(name)), chosen.get(name))
        for name, values in found.items()
    )


def _spacing(kind: object) -> Spacing:
    return "linear" if isinstance(kind, Uniform) else "log of 1 - x" if isinstance(kind, OneMinus) else "log"


def lr_place(tried: Sequence[Configuration], chosen: Mapping[str, Any]) -> tuple[int, int] | None:
    """Where the chosen learning rate stands among those tried, from 1 for the lowest, and how many there were."""
    rates = sorted({one.values["lr"] for one in tried if "lr" in one.values})
    return (rates.index(chosen["lr"]) + 1, len(rates)) if chosen.get("lr") in rates else None


def edge(place: tuple[int, int] | None) -> Edge | None:
    """Which end of what was tried a place is, if it is one."""
    if place is None or place[1] < 2 or 1 < place[0] < place[1]:
        return None
    return "lowest" if place[0] == 1 else "highest"


def forgiven(
    tried: Sequence[Configuration], trials: Sequence[Record], scale: Scale
) -> tuple[GoodRates | None, Sensitivity | None]:
    """How much of the tried learning rates was good, and how far the best may be off.

    The second is None unless the learning rate alone was searched: else neighbours differ in the rest too.
    """
    if all(one.metric is None for one in tried):
        return None, None
    within = _margin(tried, trials, scale)
    higher = scale.sign > 0
    placed = [one for one in tried if one.values.get("lr", 0) > 0]
    good = good_rates([one.values["lr"] for one in placed], [one.score for one in placed], within, higher=higher)
    ended = [one for one in tried if one.status != "running"]
    rates = [one.values["lr"] for one in ended if [*one.values] == ["lr"]]
    if len(rates) < max(2, len(ended)) or within <= 0 or min(rates) <= 0:
        return good, None
    return good, rate_sensitivity(rates, [one.score for one in ended], within, higher=higher)


def _margin(tried: Sequence[Configuration], trials: Sequence[Record], scale: Scale) -> float:
    """How far below the best still counts as good."""
    if scale.metric.share:
        return GOOD
    firsts = (trial.epochs[0].validation_metric for trial in trials if trial.epochs)
    best = scale.best(one.metric for one in tried if one.metric is not None)
    return GOOD_PART * abs(best - median(filter(isfinite, firsts)))
