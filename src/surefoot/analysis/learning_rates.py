"""What a search tells of the learning rate: where the choice stands, and how much of what was tried was good.

Good is near the best: within a percentage point of a share or, for other metrics, within a part of the way from what
is usual after the first epoch to the best, since their unit tells nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, log10, nan
from statistics import median
from typing import Any, Literal

from surefoot.analysis.configurations import Tried
from surefoot.analysis.robustness import Sensitivity, rate_sensitivity
from surefoot.analysis.scale import Scale
from surefoot.store.records import Record

Edge = Literal["lowest", "highest"]

GOOD = 0.01
"""A trial is good if its validation metric is within this of its optimizer's best: one percentage point of a share."""

GOOD_PART = 0.05
"""For other metrics: this part of the way from what is usual after the first epoch to the best."""


@dataclass(frozen=True)
class GoodRates:
    """The share of the tried learning rates, on a logarithmic axis `decades` wide, that is nearest to a good trial.

    Good is a trial whose validation metric is `within` this much of the best.
    """

    share: float
    decades: float
    within: float


def lr_place(tried: Sequence[Tried], chosen: Mapping[str, Any]) -> tuple[int, int] | None:
    """Where the chosen learning rate stands among those tried, from 1 for the lowest, and how many there were."""
    rates = sorted({one.values["lr"] for one in tried if "lr" in one.values})
    return (rates.index(chosen["lr"]) + 1, len(rates)) if chosen.get("lr") in rates else None


def edge(place: tuple[int, int] | None) -> Edge | None:
    """Which end of what was tried a place is, if it is one."""
    if place is None or place[1] < 2 or 1 < place[0] < place[1]:
        return None
    return "lowest" if place[0] == 1 else "highest"


def margin(trials: Sequence[Record], known: Sequence[float], scale: Scale) -> float:
    """How far below the best still counts as good."""
    if scale.metric.share or not known:
        return GOOD
    firsts = [trial.epochs[0].validation_metric for trial in trials if trial.epochs]
    start = median(value for value in firsts if isfinite(value))
    return GOOD_PART * abs(scale.best(known) - start)


def good_rates(tried: Sequence[Tried], within: float, scale: Scale) -> GoodRates | None:
    """Each trial stands for the learning rates that are nearer to it than to another; None without a range."""
    known = [one.metric for one in tried if one.metric is not None]
    points = [(log10(one.values["lr"]), one.metric) for one in tried if one.values.get("lr", 0) > 0]
    points.sort(key=lambda point: point[0])
    if not known or len(points) < 2 or points[0][0] == points[-1][0]:
        return None
    places = [place for place, _ in points]
    ends = [places[0], *((a + b) / 2 for a, b in pairwise(places)), places[-1]]
    least = scale.gain(scale.best(known)) - within
    good = [metric is not None and scale.gain(metric) >= least for _, metric in points]
    width = sum(high - low for (low, high), one in zip(pairwise(ends), good, strict=True) if one)
    decades = places[-1] - places[0]
    return GoodRates(width / decades, decades, within)


def sensitivity(tried: Sequence[Tried], within: float, scale: Scale) -> Sensitivity | None:
    """None unless the learning rate alone was searched: else neighbours differ in the rest too."""
    ended = [one for one in tried if one.status != "running"]
    if (
        any([*one.values] != ["lr"] for one in ended)
        or len(ended) < 2
        or within <= 0
        or all(one.metric is None for one in ended)
    ):
        return None
    rates = [one.values["lr"] for one in ended]
    if min(rates) <= 0:
        return None
    metrics = [nan if one.metric is None else one.metric for one in ended]
    return rate_sensitivity(rates, metrics, within, higher=scale.sign > 0)
