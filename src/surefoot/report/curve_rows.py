"""The rows behind the curves: means over seeds, single trials, the test at the end, published numbers.

Each row has its time on every clock of the protocol, the recorded values, and the heights at which they are drawn
(`..._y`, `..._low`, `..._high`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, isfinite, nan
from statistics import fmean
from typing import Any

from surefoot.analysis import Setting
from surefoot.report.clocks import times
from surefoot.report.figure import LINE, Rows, thinned
from surefoot.report.quantity import Quantity
from surefoot.report.reference import PublishedCurve
from surefoot.statistics.intervals import t_interval
from surefoot.store.protocol import Metric
from surefoot.store.records import Epoch, Record

PARTS = ("train", "validation")
FEWEST_FOR_INTERVAL = 4
MOST_SINGLE = 60
"""The most trials that are drawn one by one."""

MOST_MARKS = 20
"""The most symbols along a line. More would hide each other, and the line."""

DIVERGED_OR_RUNNING = (
    "Thin dotted lines: single trials that diverged (a cross marks the last point) or have not finished."
)

Kinds = dict[str, Quantity]


def quantities(arms: Sequence[Setting]) -> Kinds:
    """Return the quantities of a study: its loss, and its metric where that is another."""
    metric = arms[0].trials[0].metric if arms else Metric()
    other = {} if metric.is_loss else {"metric": Quantity(metric.title, metric)}
    return {"loss": Quantity("loss"), **other}


def measures(kinds: Kinds) -> dict[str, Quantity]:
    """Return the curves by name, one panel each: every quantity in training and in validation."""
    return {f"{part}_{kind}": quantity for kind, quantity in kinds.items() for part in PARTS}


def interval_is_drawn(arms: Sequence[Setting]) -> bool:
    """Return whether bands are intervals of the mean. With fewer seeds they span the seeds themselves."""
    return max((len(arm.finished) for arm in arms), default=0) >= FEWEST_FOR_INTERVAL


def rows_of(arms: Sequence[Setting], references: Sequence[PublishedCurve]) -> tuple[dict[str, Rows], tuple[int, int]]:
    """Return the rows of each kind, with the number of single trials drawn, and of all."""
    kinds, interval = quantities(arms), interval_is_drawn(arms)
    curves = measures(kinds)
    averaged = {trial.key for arm in arms for trial in arm.finished}
    single = [(trial, arm) for arm in arms for trial in arm.trials if trial.epochs and trial.key not in averaged]
    shown = thinned(single, MOST_SINGLE)
    rows = {
        "averaged": [row for arm in arms for row in _averaged(arm, curves, interval)],
        "single": [row for trial, arm in shown for row in _single(trial, arm, curves)],
        "tested": [row for arm in arms for row in _tested(arm, kinds)],
        "published": [row for one in references for row in _published(one, arms, curves)],
    }
    return rows, (len(shown), len(single))


def heights(arms: Sequence[Setting], data: dict[str, Rows], kind: str) -> list[float | None]:
    """Return what an axis must show: every averaged seed, else single trials. Those that diverge leave the picture."""
    quantity = quantities(arms)[kind]
    both = measures({kind: quantity})
    seen = [
        quantity.height(getattr(epoch, measure))
        for arm in arms
        for trial in arm.finished
        for epoch in trial.epochs
        for measure in both
    ]
    other = data["tested"] + data["published"] + ([] if seen else data["single"])
    return seen + [row.get(f"{measure}_y") for row in other for measure in both]


def _averaged(arm: Setting, curves: Kinds, interval: bool) -> Iterator[dict[str, Any]]:
    """Yield mean and band over the finished trials of an arm, epoch by epoch."""
    shown = thinned(list(zip(*(trial.epochs for trial in arm.finished), strict=False)), LINE)
    every = ceil(len(shown) / MOST_MARKS)
    for place, epochs in enumerate(shown, start=1):
        clock = [times(epoch, arm.trials[0].protocol) for epoch in epochs]
        row: dict[str, Any] = {"optimizer": arm.label, "seeds": len(epochs)} | clock[0]
        row["seconds"] = fmean(epoch.seconds for epoch in epochs)
        row["mark"] = (len(shown) - place) % every == 0
        for name, quantity in curves.items():
            values = [getattr(epoch, name) for epoch in epochs]
            row |= _measured(name, values, quantity) | _band(name, values, quantity, interval)
        yield row


def _measured(name: str, values: Sequence[float], quantity: Quantity) -> dict[str, Any]:
    """Return the mean of some values and its height. If a value is not finite: NaN and None."""
    mean = fmean(values) if all(map(isfinite, values)) else nan
    return {name: mean, f"{name}_y": quantity.height(mean)}


def _band(name: str, values: Sequence[float], quantity: Quantity, interval: bool) -> dict[str, Any]:
    """Return the ends of a band; none where a value is not finite, so that mean and band have a gap there."""
    if not all(map(isfinite, values)):
        return {}
    bounds = t_interval(values) if interval else None
    ends = (bounds.low, bounds.high) if bounds else (min(values), max(values))
    drawn = [height for end in ends if end is not None and (height := quantity.height(end))]
    return {f"{name}_low": min(drawn), f"{name}_high": max(drawn)} if drawn else {}


def _single(trial: Record, arm: Setting, curves: Kinds) -> Iterator[dict[str, Any]]:
    """Yield the points of a trial that is in no mean. The last point of a diverged one carries the cross."""
    judged = [epoch for epoch in trial.epochs if isfinite(epoch.validation_loss) or isfinite(epoch.validation_metric)]
    epochs = thinned(judged, LINE)
    for epoch in epochs:
        row: dict[str, Any] = {"optimizer": trial.label, "seed": trial.seed} | times(epoch, trial.protocol)
        row["end"] = epoch is epochs[-1] and trial in arm.diverged
        for name, quantity in curves.items():
            row |= _measured(name, [getattr(epoch, name)], quantity)
        yield row


def _tested(arm: Setting, kinds: Kinds) -> Iterator[dict[str, Any]]:
    """Yield one row: the mean test figures at the end, under the names of the validation's."""
    found = [(trial.epochs[-1], trial.outcome) for trial in arm.finished if trial.epochs and trial.outcome]
    if not found:
        return
    last: list[Epoch] = [epoch for epoch, _ in found]
    row: dict[str, Any] = {"optimizer": arm.label, "seeds": len(found)} | times(last[0], arm.trials[0].protocol)
    row["seconds"] = fmean(epoch.seconds for epoch in last)
    for kind, quantity in kinds.items():
        row |= _measured(f"validation_{kind}", [getattr(outcome, f"test_{kind}") for _, outcome in found], quantity)
    yield row


def _published(one: PublishedCurve, arms: Sequence[Setting], curves: Kinds) -> Iterable[dict[str, Any]]:
    """Yield a row for each published epoch. It has no seconds: that machine is not ours."""
    steps = arms[0].trials[0].protocol.steps_per_epoch if arms else 0
    known = {arm.label for arm in arms}
    for epoch, value in sorted(one.values.items()):
        row: dict[str, Any] = {"label": one.label, "source": one.source, "epoch": epoch, "seconds": None}
        row["optimizer"] = one.optimizer if one.optimizer in known else ""
        row |= {"step": epoch * steps} if steps else {}
        name = "validation_metric" if "validation_metric" in curves else "validation_loss"
        yield row | _measured(name, [value], curves[name])
