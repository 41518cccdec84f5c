"""The rows behind the curves: averaged over seeds, single trials, the test at the end, and published numbers.

Each row has its time on every clock that the protocol tells, the recorded values, and the heights at which they are
drawn (`..._y`, `..._low`, `..._high`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, isfinite, nan
from statistics import fmean
from typing import Any

from surefoot.analysis import Setting
from surefoot.report.clocks import times
from surefoot.report.figure import Rows
from surefoot.report.metric_axes import Quantity
from surefoot.report.reference import Reference
from surefoot.report.thinning import LINE, thinned
from surefoot.statistics.intervals import t_interval
from surefoot.store.protocol import Metric
from surefoot.store.records import Epoch, Record

PARTS = ("train", "validation")
FEWEST_FOR_INTERVAL = 4
MOST_SINGLE = 60
"""Most trials that are drawn one by one."""

MOST_MARKS = 20
"""Most symbols along a line; more would hide each other, and it."""

DIVERGED_OR_RUNNING = (
    "Thin dotted lines: single trials that diverged (a cross marks the last epoch) or have not finished."
)

Kinds = dict[str, Quantity]


def quantities(arms: Sequence[Setting]) -> Kinds:
    """The quantities of a study: its loss and its metric, or the loss alone where that is what it is judged by."""
    metric = arms[0].trials[0].metric if arms else Metric()
    other = {} if metric.is_loss else {"metric": Quantity(metric.title, metric)}
    return {"loss": Quantity("loss"), **other}


def measures(kinds: Kinds) -> tuple[str, ...]:
    """What an epoch has of each quantity: the names of the curves, one panel each."""
    return tuple(f"{part}_{kind}" for kind in kinds for part in PARTS)


def interval_is_drawn(arms: Sequence[Setting]) -> bool:
    """Whether bands are intervals of the mean; with fewer seeds they show the seeds themselves."""
    return max((len(arm.finished) for arm in arms), default=0) >= FEWEST_FOR_INTERVAL


def rows_of(arms: Sequence[Setting], references: Sequence[Reference]) -> tuple[dict[str, Rows], tuple[int, int]]:
    """The rows of each kind, and how many of the single trials are among them, of how many."""
    kinds, interval = quantities(arms), interval_is_drawn(arms)
    single = [(trial, arm) for arm in arms for trial in _not_averaged(arm)]
    shown = thinned(single, MOST_SINGLE)
    rows = {
        "averaged": [row for arm in arms for row in _averaged(arm, kinds, interval)],
        "single": [row for trial, arm in shown for row in _single(trial, arm, kinds)],
        "tested": [row for arm in arms for row in _tested(arm, kinds)],
        "published": [row for one in references for row in _published(one, arms, kinds)],
    }
    return rows, (len(shown), len(single))


def heights(arms: Sequence[Setting], data: dict[str, Rows], kind: str) -> list[float | None]:
    """What an axis must show: every seed that is averaged, else single trials; a diverging one leaves the picture."""
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


def _not_averaged(arm: Setting) -> list[Record]:
    finished = {trial.key for trial in arm.finished}
    return [trial for trial in arm.trials if trial.key not in finished and trial.epochs]


def _averaged(arm: Setting, kinds: Kinds, interval: bool) -> Iterator[dict[str, Any]]:
    """Mean and band over the finished trials of an arm, epoch by epoch."""
    shown = thinned(list(zip(*(trial.epochs for trial in arm.finished), strict=False)), LINE)
    every = ceil(len(shown) / MOST_MARKS)
    for place, epochs in enumerate(shown, start=1):
        clock = [times(epoch, arm.trials[0].protocol) for epoch in epochs]
        row: dict[str, Any] = {"optimizer": arm.label, "seeds": len(epochs)} | clock[0]
        row["seconds"] = fmean(epoch.seconds for epoch in epochs)
        row["mark"] = (len(shown) - place) % every == 0
        for measure in measures(kinds):
            values = [getattr(epoch, measure) for epoch in epochs]
            row |= _measured(measure, values, kinds) | _band(measure, values, kinds, interval)
        yield row


def _measured(measure: str, values: Sequence[float], kinds: Kinds) -> dict[str, Any]:
    """The mean of some values, and the height at which it is drawn; not a number, and none, if one is not finite."""
    mean = fmean(values) if all(map(isfinite, values)) else nan
    return {measure: mean, f"{measure}_y": kinds[measure.split("_")[1]].height(mean)}


def _band(measure: str, values: Sequence[float], kinds: Kinds, interval: bool) -> dict[str, Any]:
    """The ends of a band; none where a value is not a number, so that mean and band have a gap there."""
    if not all(map(isfinite, values)):
        return {}
    bounds = t_interval(values) if interval else None
    ends = (bounds.low, bounds.high) if bounds else (min(values), max(values))
    drawn = [height for end in ends if end is not None and (height := kinds[measure.split("_")[1]].height(end))]
    return {f"{measure}_low": min(drawn), f"{measure}_high": max(drawn)} if drawn else {}


def _single(trial: Record, arm: Setting, kinds: Kinds) -> Iterator[dict[str, Any]]:
    """The points of a trial that is in no mean; the last epoch of a diverged one carries the cross."""
    epochs = thinned([epoch for epoch in trial.epochs if isfinite(epoch.validation_loss)], LINE)
    for epoch in epochs:
        row: dict[str, Any] = {"optimizer": trial.label, "seed": trial.seed} | times(epoch, trial.protocol)
        row["end"] = epoch is epochs[-1] and trial in arm.diverged
        for measure in measures(kinds):
            row |= _measured(measure, [getattr(epoch, measure)], kinds)
        yield row


def _tested(arm: Setting, kinds: Kinds) -> Iterator[dict[str, Any]]:
    """One row: the mean test figures, at the end and under the names of the validation's."""
    found = [(trial.epochs[-1], trial.outcome) for trial in arm.finished if trial.epochs and trial.outcome]
    if not found:
        return
    last: list[Epoch] = [epoch for epoch, _ in found]
    row: dict[str, Any] = {"optimizer": arm.label, "seeds": len(found)} | times(last[0], arm.trials[0].protocol)
    row["seconds"] = fmean(epoch.seconds for epoch in last)
    for kind in kinds:
        row |= _measured(f"validation_{kind}", [getattr(outcome, f"test_{kind}") for _, outcome in found], kinds)
    yield row


def _published(one: Reference, arms: Sequence[Setting], kinds: Kinds) -> Iterable[dict[str, Any]]:
    """A row for each published epoch; in seconds it has no place, as their machine is not ours."""
    steps = arms[0].trials[0].protocol.steps_per_epoch if arms else 0
    known = {arm.label for arm in arms}
    for epoch, value in sorted(one.values.items()):
        row: dict[str, Any] = {"label": one.label, "source": one.source, "epoch": epoch, "seconds": None}
        row["optimizer"] = one.optimizer if one.optimizer in known else ""
        row |= {"step": epoch * steps} if steps else {}
        yield row | _measured(_drawn_as(one.measure, kinds), [value], kinds)


def _drawn_as(measure: str, kinds: Kinds) -> str:
    """The curve that a published figure stands beside: the metric's is the loss's where there is no other."""
    part, kind = measure.split("_")
    return f"{part}_{kind if kind in kinds else 'loss'}"
