"""How long until a target: the share of trials still under way, for two or three targets side by side.

Kaplan-Meier's steps: a line falls where trials arrive. A trial that ended without arriving counts as under way until
the last of its optimizer's ended; one that diverged never arrives, so its optimizer's line cannot reach the ground.
Each clock has rows of its own, as trials that arrive in the same epoch do so at different seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import altair as alt

from surefoot.analysis import Setting
from surefoot.analysis.target import Arrivals
from surefoot.report.clocks import EPOCHS, SECONDS, STEPS, Clock, clock_switch, clock_views, times
from surefoot.report.figure import Figure, Panel, Rows, chart_of, colour, steps
from surefoot.report.scales import linear_axis
from surefoot.report.theme import Style
from surefoot.report.thinning import LINE, thinned
from surefoot.statistics.survival import Survival
from surefoot.store.protocol import Metric
from surefoot.words import Written

CAPTION = (
    "The share of each optimizer's trials that have not yet reached a validation {metric}, one panel for each target "
    "(Kaplan-Meier). What to see: the line that falls first belongs to the fastest; one that stays up has trials that "
    "never arrive. Trials that diverged never do; one that ended before it got there is counted until "
    "the last of its optimizer's ended."
)
BANDS = "Bands: 95 % intervals."

Ends = Mapping[str, Mapping[str, float]]


def survival(arrivals: Sequence[Arrivals], looks: Sequence[Style], metric: Metric, ends: Ends) -> Figure:
    """A panel for each target; `ends` has where each optimizer's training ended, by the clock's field."""
    written = Written(metric)
    clocks = tuple(clock for clock in (EPOCHS, STEPS, SECONDS) if all(_by(one, clock) for one in arrivals))
    tables = {f"target {place}": _table(one, clocks, ends) for place, one in enumerate(arrivals)}
    panels = tuple(
        Panel(
            f"Not yet at {written.target(one.target)}",
            _panel(name, table, looks),
            clock_views(clocks, table, zero=True),
        )
        for (name, table), one in zip(tables.items(), arrivals, strict=True)
    )
    several = any(way.of > 1 for one in arrivals for way in one.epochs.values())
    return Figure(
        name="time-to-target",
        title="Time to a target",
        caption=" ".join([CAPTION.format(metric=metric.title), *([BANDS] if several else [])]),
        panels=panels,
        datasets=tables,
        columns=3 if len(panels) != 2 else 2,
        legend=True,
        switches=(clock_switch(clocks),) if panels else (),
        note=BANDS if several else "",
    )


def ends_of(arms: Sequence[Setting]) -> dict[str, dict[str, float]]:
    """Where the longest trial of each arm ended, on each clock that its protocol tells."""
    return {
        arm.label: {
            name: max(times(trial.epochs[-1], trial.protocol)[name] for trial in told)
            for name in times(told[0].epochs[-1], told[0].protocol)
        }
        for arm in arms
        if (told := [trial for trial in arm.judged if trial.epochs])
    }


def _by(one: Arrivals, clock: Clock) -> Mapping[str, Survival]:
    return {EPOCHS: one.epochs, STEPS: one.steps, SECONDS: one.seconds}[clock]


def _table(one: Arrivals, clocks: Sequence[Clock], ends: Ends) -> Rows:
    return [
        row
        for clock in clocks
        for label, way in _by(one, clock).items()
        for row in _stairs(label, way, clock, ends.get(label, {}).get(clock.field))
    ]


def _stairs(label: str, way: Survival, clock: Clock, end: float | None) -> Iterator[dict[str, Any]]:
    """From everybody under way at 0 to the end of training; a bound that is not known stands at the ground."""
    told: dict[str, Any] = {"optimizer": label, "reached": way.reached, "of": way.of}
    yield told | {clock.field: 0, "waiting": 1, "low": 1, "high": 1, "mark": False}
    last: dict[str, Any] = {"waiting": 1, "low": 1, "high": 1}
    for time, waiting, low, high in thinned(list(zip(way.times, way.waiting, way.low, way.high, strict=True)), LINE):
        last = {"waiting": waiting, "low": low if waiting > 0 else 0, "high": high if waiting > 0 else 0}
        yield told | {clock.field: time, "mark": True} | last
    if end is not None and end > max(way.times, default=0):
        yield told | {clock.field: end, "mark": False} | last


def _panel(data: str, table: Rows, looks: Sequence[Style]) -> alt.LayerChart:
    x = EPOCHS.axis((row.get("epoch") for row in table), zero=True).x("epoch")
    up = linear_axis("trials still under way", (0, 1.02), label="format(100 * datum.value, 'd') + ' %'")
    tooltip = [
        alt.Tooltip("optimizer:N"),
        *(alt.Tooltip(f"{clock.field}:Q", title=clock.title, format=",.6~r") for clock in (EPOCHS, STEPS, SECONDS)),
        alt.Tooltip("waiting:Q", title="still under way", format=".0%"),
        alt.Tooltip("reached:Q", title="trials that arrived"),
        alt.Tooltip("of:Q", title="of"),
    ]
    band = chart_of(data).mark_area(opacity=0.1, interpolate="step-after", invalid="filter", clip=True)
    stairs = steps(data, looks, x, up.y("waiting"), tooltip)
    return alt.LayerChart(layer=[band.encode(x, up.y("low"), alt.Y2("high"), colour(looks)), *stairs])
