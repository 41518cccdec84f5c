"""Curves of loss and accuracy, training and validation, against epochs and against seconds.

With several seeds: the line is the mean over finished trials, the band runs from the lowest to the highest of them.
Trials that diverged or have not finished are not averaged, which would change the mean where they stop; each is a
thin dotted line of its own. Training and validation share their scale, so the gap between them can be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import Any

import altair as alt

from surefoot.analysis import Arm
from surefoot.report.figure import Figure, Panel, Rows, chart_of, colour, lines
from surefoot.report.scales import SMALLEST_LOSS, accuracy_axis, log_axis, log_domain
from surefoot.report.theme import CROSS, Style
from surefoot.store.records import Epoch, Record

MEASURES = ("train_loss", "validation_loss", "train_metric", "validation_metric")
ENDS = ("y", "low", "high")
TITLES = {
    "train_loss": "Training loss",
    "validation_loss": "Validation loss",
    "train_metric": "Training accuracy",
    "validation_metric": "Validation accuracy",
}
CAPTION = (
    "Training figures are means over an epoch's batches while the weights were moving, so they lag behind; validation "
    "figures are taken at the end of the epoch. Loss axes are logarithmic; accuracy axes stretch towards 100 %, so "
    "that equal steps are equal factors in errors made."
)


@dataclass(frozen=True)
class Clock:
    """What a curve runs against: the field, its axis title and what the caption says about it."""

    field: str
    title: str
    heading: str
    caption: str


EPOCHS = Clock(
    "epoch",
    "epoch",
    "Loss and accuracy by epoch",
    "What to see: which line falls first (speed of convergence), where it levels off, and whether validation follows.",
)
SECONDS = Clock(
    "seconds",
    "training time (s)",
    "Loss and accuracy by training time",
    "What to see: the same curves in seconds of training, evaluation not counted; a costly step moves a line right.",
)


def curves(arms: Sequence[Arm], looks: Sequence[Style], clock: Clock) -> Figure:
    """Four panels of curves against one clock."""
    averaged = [point for arm in arms for point in _averaged(arm)]
    single = [point for arm in arms for trial in arm.trials for point in _single(trial, arm)]
    seeds = max((len(arm.finished) for arm in arms), default=0)
    panels = tuple(_panel(measure, clock, averaged, single, looks) for measure in MEASURES)
    return Figure(
        name=f"curves-{clock.field}",
        title=clock.heading,
        caption=" ".join([clock.caption, CAPTION, *_how_drawn(seeds, bool(single))]),
        panels=panels if averaged or single else (),
        datasets={"averaged": averaged, "single": single},
        columns=2,
        legend=True,
    )


def _how_drawn(seeds: int, single: bool) -> Iterator[str]:
    if seeds > 1:
        yield f"Line: mean over up to {seeds} seeds; band: from the lowest to the highest seed."
    if single:
        yield "Thin dotted lines: single trials that diverged (a cross marks the last epoch) or have not finished."


def _averaged(arm: Arm) -> Iterator[dict[str, Any]]:
    """Mean, lowest and highest over the finished trials of an arm, epoch by epoch."""
    for epochs in zip(*(trial.epochs for trial in arm.finished), strict=False):
        point: dict[str, Any] = {"optimizer": arm.label, "epoch": epochs[0].epoch, "seeds": len(epochs)}
        point["seconds"] = fmean(epoch.seconds for epoch in epochs)
        for measure in MEASURES:
            heights = [_height(epoch, measure) for epoch in epochs]
            point[measure] = fmean(getattr(epoch, measure) for epoch in epochs)
            point |= {f"{measure}_y": fmean(heights), f"{measure}_low": min(heights), f"{measure}_high": max(heights)}
        yield point


def _single(trial: Record, arm: Arm) -> Iterator[dict[str, Any]]:
    """The points of a trial that is in no mean; the last epoch of a diverged one carries the cross."""
    epochs = [] if trial in arm.finished else [epoch for epoch in trial.epochs if isfinite(epoch.validation_loss)]
    for epoch in epochs:
        point: dict[str, Any] = {"optimizer": trial.label, "seed": trial.seed, "epoch": epoch.epoch}
        point |= {"seconds": epoch.seconds, "end": trial in arm.diverged and epoch is epochs[-1]}
        for measure in MEASURES:
            point |= {measure: getattr(epoch, measure), f"{measure}_y": _height(epoch, measure)}
        yield point


def _height(epoch: Epoch, measure: str) -> float:
    """What is drawn: the loss, or the error 1 - accuracy; above zero, so that it has a logarithm."""
    value: float = getattr(epoch, measure)
    return max(1e-5, 1 - value) if measure.endswith("metric") else max(SMALLEST_LOSS, value)


def _panel(measure: str, clock: Clock, averaged: Rows, single: Rows, looks: Sequence[Style]) -> Panel:
    x, (scale, axis) = _x(clock, averaged + single), _y_axis(measure, averaged or single)
    y, edge = (alt.Y(f"{measure}_{end}:Q", scale=scale, axis=axis) for end in ("y", "low"))
    layers: list[alt.Chart] = []
    if any(point["seeds"] > 1 for point in averaged):
        band = chart_of("averaged").mark_area(opacity=0.18, clip=True)
        layers.append(band.encode(x, edge, alt.Y2(f"{measure}_high"), colour(looks)))
    if averaged:
        layers += lines("averaged", looks, x, y, _tooltip(measure, "seeds"))
    if single:
        layers += _dotted(looks, x, y, _tooltip(measure, "seed"))
    return Panel(TITLES[measure], alt.LayerChart(layer=layers))


def _dotted(looks: Sequence[Style], x: alt.X, y: alt.Y, tooltip: list[alt.Tooltip]) -> list[alt.Chart]:
    base = chart_of("single").encode(x, y, colour(looks), detail="seed:N", tooltip=tooltip)
    ends = base.transform_filter("datum.end")
    return [
        base.mark_line(strokeWidth=1.2, strokeDash=[2, 3], clip=True),
        base.mark_circle(size=14, clip=True),
        ends.mark_point(shape=CROSS, size=70, strokeWidth=2, clip=True),
    ]


def _x(clock: Clock, values: Rows) -> alt.X:
    last = max((value[clock.field] for value in values), default=1)
    if clock is SECONDS:
        axis = alt.Axis(title=clock.title, tickCount=6)
        return alt.X("seconds:Q", scale=alt.Scale(domain=[0, last * 1.03], nice=False), axis=axis)
    scale = alt.Scale(domain=[1, last] if last > 1 else [0, 2], padding=10, nice=False)
    axis = alt.Axis(
        title=clock.title, values=[1] if last == 1 else alt.Undefined, tickMinStep=1, format="d", grid=False
    )
    return alt.X("epoch:Q", scale=scale, axis=axis)


def _y_axis(measure: str, values: Rows) -> tuple[alt.Scale, alt.Axis]:
    """Training and validation share one scale; the averaged curves decide it, a diverging one leaves the picture."""
    kind = measure.split("_")[1]
    domain = log_domain(
        value.get(f"{part}_{kind}_{end}") for value in values for part in ("train", "validation") for end in ENDS
    )
    return accuracy_axis("accuracy", domain) if kind == "accuracy" else log_axis("loss (log scale)", domain)


def _tooltip(measure: str, seed: str) -> list[alt.Tooltip]:
    number = ".2%" if measure.endswith("metric") else ".4f"
    return [
        alt.Tooltip("optimizer:N"),
        alt.Tooltip("epoch:Q"),
        alt.Tooltip("seconds:Q", title="seconds", format=".1f"),
        alt.Tooltip(f"{measure}:Q", title=TITLES[measure].lower(), format=number),
        alt.Tooltip(f"{seed}:Q"),
    ]
