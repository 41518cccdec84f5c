"""The configurations of a search: what was tried in which ranges, how it ended, and what it shows about the rate.

A good configuration is near the best one. For a share that is within a percentage point. The unit of any other metric
says nothing: there it is within a part of the way from the median after the first epoch to the best.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, nan
from statistics import fmean
from typing import Literal

from surefoot.analysis.scale import Scale, first_score
from surefoot.statistics.sensitivity import GoodRates, Sensitivity, good_rates, rate_sensitivity
from surefoot.store.design import Search
from surefoot.store.records import Record, Status

Spacing = Literal["log", "log of 1 - x", "linear"]
Edge = Literal["lowest", "highest"]

SPACINGS: dict[str, Spacing] = {"log": "log", "one_minus": "log of 1 - x", "uniform": "linear"}

WORST_FIRST: tuple[Status, ...] = ("failed", "diverged", "running", "finished")

GOOD = 0.01
"""The largest distance of a good trial from its optimizer's best, for a share: one percentage point."""

GOOD_PART = 0.05
"""The same for other metrics, as a part of the way from the median after the first epoch to the best."""


@dataclass(frozen=True)
class Configuration:
    """One configuration: its searched `values`, and the mean validation `metric` over `seeds`.

    The metric is None unless all trials finished; `status` is that of the worst. `again` are the seeds of the final
    round, which only the best few take part in.
    """

    values: Mapping[str, float]
    metric: float | None
    status: Status
    chosen: bool
    seeds: tuple[int, ...] = ()
    again: tuple[int, ...] = ()

    @property
    def score(self) -> float:
        """The metric; NaN where there is none."""
        return nan if self.metric is None else self.metric


@dataclass(frozen=True)
class Searched:
    """A hyperparameter that was searched: its tried range, and its `chosen` value, None before there is one."""

    name: str
    low: float
    high: float
    scale: Spacing
    chosen: float | None


class Exploration:
    """The search of one optimizer: the configurations that were tried, and what they show about the learning rate.

    Args:
        trials: the tuning trials of the optimizer, at least one.
        chosen: the configuration that won; empty before there is one.
        scale: scale of the metric.
    """

    def __init__(self, trials: Sequence[Record], chosen: Mapping[str, float], scale: Scale) -> None:
        self.trials, self.chosen, self.scale = trials, chosen, scale
        self.planned: Search | None = trials[0].part.search
        self.step = trials[0].protocol.validation_step
        by_values: dict[tuple[tuple[str, float], ...], list[Record]] = {}
        for trial in trials:
            by_values.setdefault(tuple(trial.part.configuration.items()), []).append(trial)
        self.tried = tuple(_configuration(dict(values), found, chosen) for values, found in by_values.items())
        self.finished = [one.metric for one in self.tried if one.metric is not None]

    @property
    def finalists(self) -> tuple[Configuration, ...]:
        """The configurations that were run again on more seeds; none if all were."""
        last = tuple(one for one in self.tried if one.again)
        return last if len(last) < len(self.tried) else ()

    @property
    def searched(self) -> tuple[Searched, ...]:
        """The tried range and the chosen value of each hyperparameter."""
        ranges = self.planned.ranges if self.planned else {}
        found = {name: [one.values[name] for one in self.tried] for name in self.tried[0].values}
        return tuple(
            Searched(
                name,
                min(values),
                max(values),
                SPACINGS[ranges[name].kind] if name in ranges else "log",
                self.chosen.get(name),
            )
            for name, values in found.items()
        )

    @property
    def lr_place(self) -> tuple[int, int] | None:
        """The place of the chosen learning rate, 1 for the lowest, and the number of tried ones."""
        rates = sorted({one.values["lr"] for one in self.tried if "lr" in one.values})
        chosen = self.chosen.get("lr")
        return (rates.index(chosen) + 1, len(rates)) if self.finished and chosen in rates else None

    @property
    def edge(self) -> Edge | None:
        """The end of the tried range at which the chosen learning rate lies; None inside the range."""
        place, count = self.lr_place or (0, 0)
        if count < 2 or 1 < place < count:
            return None
        return "lowest" if place == 1 else "highest"

    @property
    def good_rates(self) -> GoodRates | None:
        """The share of the tried learning rates that was good; None without a range, a result or a margin."""
        placed = [one for one in self.tried if one.values.get("lr", 0) > 0]
        if self._margin is None:
            return None
        rates, scores = [one.values["lr"] for one in placed], [one.score for one in placed]
        return good_rates(rates, scores, self._margin, higher=self.scale.sign > 0)

    @property
    def sensitivity(self) -> Sensitivity | None:
        """The tolerance around the best rate; None without a result, or if other hyperparameters were searched too."""
        ended = [one for one in self.tried if one.status != "running"]
        rates = [one.values["lr"] for one in ended if [*one.values] == ["lr"]]
        if len(rates) < max(2, len(ended)) or min(rates) <= 0 or not self._margin:
            return None
        return rate_sensitivity(rates, [one.score for one in ended], self._margin, higher=self.scale.sign > 0)

    @cached_property
    def _margin(self) -> float | None:
        """The distance from the best that still counts as good; None without a result or a start to measure it by."""
        if self.scale.metric.share and self.finished:
            return GOOD
        first = first_score(trial.epochs[0].validation_metric for trial in self.trials if trial.epochs)
        return GOOD_PART * abs(self.scale.best(self.finished) - first) if self.finished and first is not None else None


def seeds_of(trials: Iterable[Record]) -> tuple[int, ...]:
    """Return the seeds of trials, each once and in order."""
    return tuple(sorted({trial.seed for trial in trials}))


def _configuration(values: dict[str, float], trials: Sequence[Record], chosen: Mapping[str, float]) -> Configuration:
    """Return a configuration with the status of its worst trial, and the mean metric where all finished."""
    status = min((trial.status for trial in trials), key=WORST_FIRST.index)
    metrics = [trial.validation_score for trial in trials]
    if status == "finished" and not all(map(isfinite, metrics)):
        status = "diverged"
    again = [trial for trial in trials if trial.part.role == "final"]
    metric = fmean(metrics) if status == "finished" else None
    return Configuration(values, metric, status, values == chosen, seeds_of(trials), seeds_of(again))
