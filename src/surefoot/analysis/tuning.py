"""How each optimizer was tuned: what was tried and spent, what was chosen, and what that gained.

Read from the records alone: trials with the purpose `tune` are the search, trials that measure under the same name are
its choice. Tuning never sees the test images, so every figure of the search is validation accuracy on tuning seeds,
the best of them somewhat lucky; only the gain is test accuracy, paired by measuring seed with the defaults. What
diverged or failed was paid for: it counts as tried, and as an accuracy of 0 where a number is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite, log10, nan
from numbers import Real
from statistics import fmean, median
from typing import Any, Literal

from surefoot.analysis.arms import Arm, defaults_of, group
from surefoot.analysis.budget_curve import BudgetCurve, budget_curve
from surefoot.analysis.intervals import Interval
from surefoot.analysis.verdict import metric_difference
from surefoot.store.records import Record, Status

Scale = Literal["log", "log of 1 - x", "linear"]
Edge = Literal["lowest", "highest"]

SHARES = frozenset({"alpha", "beta1", "beta2", "momentum", "rho"})
"""Shares that are kept each step: of these, what is not kept spans decades."""

GOOD = 0.01
"""A trial is good if its validation accuracy is within this of its optimizer's best: one percentage point."""

RESAMPLES = 400
MOST_RESAMPLED = 100_000
"""Of the curve's interval: resamples, and trials in all of them, so that a long search takes a second at most."""


@dataclass(frozen=True)
class Tried:
    """One configuration: the searched values, mean validation accuracy over tuning seeds (None unless all finished)."""

    values: Mapping[str, float]
    accuracy: float | None
    status: Status
    chosen: bool


@dataclass(frozen=True)
class Searched:
    """A hyperparameter that was searched: the range that was tried, and the value that was chosen (None: not yet)."""

    name: str
    low: float
    high: float
    scale: Scale
    chosen: float | None


@dataclass(frozen=True)
class GoodRates:
    """The share of the tried learning rates, on a logarithmic axis `decades` wide, that is nearest to a good trial."""

    share: float
    decades: float


@dataclass(frozen=True)
class TuningRow:
    """The tuning of one optimizer.

    `defaults` is the name of the same optimizer untuned. `trials` counts configurations; `best` and `median` are
    validation accuracies of the finished ones. `lr_place` tells where the chosen learning rate stands among those
    tried, from 1 for the lowest, and how many there were; at an `edge`, a better one may lie beyond. `curve` is the
    expected validation accuracy of the best of k trials. `gain` is the test accuracy tuned minus untuned, paired by
    seed. `apart` is False if a tuning trial shared a seed with a measuring one or saw the test images.
    """

    label: str
    defaults: str | None
    tried: tuple[Tried, ...]
    trials: int
    diverged: int
    failed: int
    unfinished: int
    seeds: tuple[int, ...]
    measuring_seeds: tuple[int, ...]
    apart: bool
    searched: tuple[Searched, ...]
    best: float | None
    median: float | None
    train_seconds: float
    lr_place: tuple[int, int] | None
    edge: Edge | None
    good_rates: GoodRates | None
    curve: BudgetCurve | None
    gain: Interval | None


def tunings(records: Sequence[Record]) -> tuple[TuningRow, ...]:
    """A row for each tuned optimizer, in the order of the records; none where nothing was tuned."""
    trials: dict[str, list[Record]] = {}
    for record in records:
        if record.purpose == "tune":
            trials.setdefault(record.label, []).append(record)
    arms = {arm.label: arm for arm in group(records)} if trials else {}
    return tuple(_row(label, found, arms) for label, found in trials.items())


def _row(label: str, trials: Sequence[Record], arms: Mapping[str, Arm]) -> TuningRow:
    winner, untuned = arms.get(label), arms.get(defaults_of(label, arms) or "")
    names = _searched_names([trial.hyper for trial in [*trials, *(untuned.trials if untuned else ())]])
    hyper = winner.trials[0].hyper if winner else {}
    tried = _tried(trials, names, hyper)
    known = [one.accuracy for one in tried if one.accuracy is not None]
    place = _lr_place(tried, hyper) if known else None
    counts = [one.status for one in tried]
    return TuningRow(
        label=label,
        defaults=untuned.label if untuned else None,
        tried=tried,
        trials=len(tried),
        diverged=counts.count("diverged"),
        failed=counts.count("failed"),
        unfinished=counts.count("running"),
        seeds=_seeds(trials),
        measuring_seeds=_seeds(winner.trials if winner else ()),
        apart=_apart(trials, [trial for arm in (winner, untuned) if arm for trial in arm.trials]),
        searched=tuple(_searched(name, tried, hyper) for name in names),
        best=max(known, default=None),
        median=median(known) if known else None,
        train_seconds=sum(trial.epochs[-1].seconds for trial in trials if trial.epochs),
        lr_place=place,
        edge=_edge(place),
        good_rates=_good_rates(tried),
        curve=_curve(tried),
        gain=_gain(winner, untuned),
    )


def _searched_names(hypers: Sequence[Mapping[str, Any]]) -> list[str]:
    """What differs between the trials, or from the defaults: the learning rate first."""
    numeric = [name for name, value in hypers[0].items() if isinstance(value, Real) and not isinstance(value, bool)]
    differs = [name for name in numeric if len({hyper.get(name) for hyper in hypers}) > 1]
    return sorted(differs, key=lambda name: name != "lr")


def _tried(trials: Sequence[Record], names: Sequence[str], chosen: Mapping[str, Any]) -> tuple[Tried, ...]:
    by_config: dict[tuple[Any, ...], list[Record]] = {}
    for trial in trials:
        by_config.setdefault(tuple(trial.hyper[name] for name in names), []).append(trial)
    pick = tuple(chosen.get(name) for name in names)
    return tuple(
        Tried(dict(zip(names, values, strict=True)), *_result(found), values == pick)
        for values, found in by_config.items()
    )


def _result(trials: Sequence[Record]) -> tuple[float | None, Status]:
    """The mean validation accuracy of a configuration, and how its worst trial ended."""
    order: tuple[Status, ...] = ("failed", "diverged", "running")
    status: Status = next((one for one in order if any(trial.status == one for trial in trials)), "finished")
    values = [trial.epochs[-1].validation_metric if trial.epochs else nan for trial in trials]
    if status != "finished":
        return None, status
    return (fmean(values), "finished") if all(map(isfinite, values)) else (None, "diverged")


def _searched(name: str, tried: Sequence[Tried], chosen: Mapping[str, Any]) -> Searched:
    values = [one.values[name] for one in tried]
    low, high = min(values), max(values)
    spans = (low > 0 and name not in SHARES) or (high < 1 and name in SHARES)
    scale: Scale = ("log of 1 - x" if name in SHARES else "log") if spans else "linear"
    return Searched(name, low, high, scale, chosen.get(name))


def _lr_place(tried: Sequence[Tried], chosen: Mapping[str, Any]) -> tuple[int, int] | None:
    rates = sorted({one.values["lr"] for one in tried if "lr" in one.values})
    return (rates.index(chosen["lr"]) + 1, len(rates)) if chosen.get("lr") in rates else None


def _edge(place: tuple[int, int] | None) -> Edge | None:
    if place is None or place[1] < 2 or 1 < place[0] < place[1]:
        return None
    return "lowest" if place[0] == 1 else "highest"


def _good_rates(tried: Sequence[Tried]) -> GoodRates | None:
    """Each trial stands for the learning rates that are nearer to it than to another; None without a range."""
    known = [one.accuracy for one in tried if one.accuracy is not None]
    points = [(log10(one.values["lr"]), one.accuracy) for one in tried if one.values.get("lr", 0) > 0]
    points.sort(key=lambda point: point[0])
    if not known or len(points) < 2 or points[0][0] == points[-1][0]:
        return None
    places = [place for place, _ in points]
    ends = [places[0], *((a + b) / 2 for a, b in pairwise(places)), places[-1]]
    good = [accuracy is not None and accuracy >= max(known) - GOOD for _, accuracy in points]
    width = sum(high - low for (low, high), one in zip(pairwise(ends), good, strict=True) if one)
    decades = places[-1] - places[0]
    return GoodRates(width / decades, decades)


def _curve(tried: Sequence[Tried]) -> BudgetCurve | None:
    """With validation accuracy as the value too: there is no test accuracy of a tuning trial, by design."""
    values = [nan if one.accuracy is None else one.accuracy for one in tried if one.status != "running"]
    if not any(map(isfinite, values)):
        return None
    resamples = max(100, min(RESAMPLES, MOST_RESAMPLED // len(values)))
    return budget_curve(values, values, failure=0.0, resamples=resamples)


def _gain(winner: Arm | None, untuned: Arm | None) -> Interval | None:
    """Tuned minus untuned over the seeds that both finished; one seed gives no interval."""
    if winner is None or untuned is None:
        return None
    gap = metric_difference(winner, untuned, int(winner.trials[0].protocol.get("test_size", 10_000)))
    if gap:
        return Interval(gap.mean, gap.low, gap.high, gap.n)
    ours, theirs = winner.metrics(), untuned.metrics()
    alone = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    return Interval(alone[0], None, None, 1) if alone else None


def _apart(tuning: Sequence[Record], measuring: Sequence[Record]) -> bool:
    seen = any(trial.outcome and isfinite(trial.outcome.test_metric) for trial in tuning)
    return not seen and not {trial.seed for trial in tuning} & {trial.seed for trial in measuring}


def _seeds(trials: Iterable[Record]) -> tuple[int, ...]:
    return tuple(sorted({trial.seed for trial in trials}))
