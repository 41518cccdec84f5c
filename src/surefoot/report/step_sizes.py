"""The picture that explains adaptive optimizers: the step size of each weight, per unit of its direction.

Each optimizer has a panel on shared logarithmic axes. The median is a line and the quantiles are three nested bands, so
that a fan stays one colour and reads in grey. SGD is a line, Adam a wide fan, AdaBound a fan that its two bounds press
onto `final_lr`. One trial per optimizer is drawn (its lowest seed): averaged quantiles would be no distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import altair as alt

from surefoot.analysis import Setting
from surefoot.report.axes import Axis, log_axis, log_domain
from surefoot.report.figure import Panel, ReportFigure, Rows, chart_of
from surefoot.report.theme import MUTED, TEXT, Style
from surefoot.store.records import RATE_QUANTILES, Record

NAMES = tuple(f"q{100 * quantile:02.0f}" for quantile in RATE_QUANTILES)
MEDIAN = NAMES[len(NAMES) // 2]
BANDS = tuple(zip(NAMES, reversed(NAMES), strict=True))[: len(NAMES) // 2]
CAPTION = (
    "What to see: plain SGD would be one flat line, and an adaptive optimizer is a fan, as wide as its weights are "
    "treated differently. The dotted grey line is the learning rate that was set."
)
HOW = (
    "The effective step size is the rule's rate: the factor between a weight's direction and its step. Line: the "
    "median weight; bands: the middle 50 %, 90 % and 98 % of the weights. Both axes are logarithmic and shared."
)
SEVERAL = "Of several seeds, the lowest that has finished is drawn."
NOTE = (
    "Line: the median weight; bands: the middle 50 %, 90 % and 98 % of the weights; dotted: the learning rate that was "
    "set."
)
BOUNDS_NOTE = "Dashed: AdaBound's and AMSBound's bounds."
BOUNDS = (
    "AdaBound and AMSBound: the dashed lines are the lower and upper bound, which close on final_lr and squeeze the "
    "fan into SGD's single rate."
)


def step_sizes(arms: Sequence[Setting], looks: Sequence[Style]) -> ReportFigure:
    """Return one panel for each optimizer that has recorded rates."""
    firsts = [next((one for one in (*arm.finished, *arm.trials) if one.rates), None) for arm in arms]
    chosen = [(look, trial) for look, trial in zip(looks, firsts, strict=True) if trial]
    tables = {f"rates {place}": _table(trial) for place, (_, trial) in enumerate(chosen)}
    rows = [row for table in tables.values() for row in table]
    heights = (row[name] for row in rows for name in (*NAMES, "lower", "upper"))
    along = log_axis("training step", log_domain((row["step"] for row in rows), pad=1.0))
    up = log_axis("step size per weight", log_domain(heights, pad=1.3))
    bounded = any(row["lower"] is not None for row in rows)
    several = any(len(arm.trials) > 1 for arm in arms)
    how = [HOW, *([BOUNDS] if bounded else []), *([SEVERAL] if several else [])]
    panels = tuple(
        Panel(look.label, _panel(name, tables[name], trial, look, along, up))
        for name, (look, trial) in zip(tables, chosen, strict=True)
    )
    return ReportFigure(
        name="step-sizes",
        title="Effective step size per weight",
        caption=CAPTION,
        panels=panels,
        datasets=tables,
        columns=2 if len(panels) <= 4 else 3,
        legend=False,
        note=" ".join([NOTE, *([BOUNDS_NOTE] if bounded else [])]),
        how=" ".join(how),
    )


def _table(trial: Record) -> Rows:
    """Return a row per recorded step. A rate without a logarithm (zero, NaN) is left empty."""
    return [
        {"step": max(1, rates.step), "lower": _positive(rates.lower), "upper": _positive(rates.upper)}
        | dict(zip(NAMES, map(_positive, rates.quantiles), strict=True))
        for rates in trial.rates
    ]


def _positive(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) and value > 0 else None


def _panel(data: str, table: Rows, trial: Record, look: Style, along: Axis, up: Axis) -> alt.LayerChart:
    x, y = along.x("step"), up.y
    base = chart_of(data).encode(x)
    bounds = [name for name in ("lower", "upper") if table[0][name]]
    median, wide = base.encode(y(MEDIAN)), len(table) > 1
    layers = [
        *(_band(base, y(low), high, look, wide) for low, high in BANDS),
        *(base.mark_line(color=TEXT, strokeWidth=1.4, strokeDash=[5, 3]).encode(y(name)) for name in bounds),
        *_references(trial, up),
        *(_bound_name(table, name).encode(x, y(name)) for name in bounds),
        median.mark_line(color=look.colour, strokeWidth=2.2),
        # Unseen points along the line answer to the pointer; a single recorded step has no line and shows its point.
        median.mark_circle(color=look.colour, size=70, opacity=0 if wide else 1).encode(tooltip=_tooltip(bounds)),
    ]
    return alt.LayerChart(layer=layers)


def _band(base: alt.Chart, low: alt.Y, high: str, look: Style, wide: bool) -> alt.Chart:
    """Return the area between two quantiles. A single recorded step has no width and gets a bar."""
    area = base.mark_area(color=look.colour, opacity=0.22)
    bar = base.mark_rule(color=look.colour, opacity=0.3, strokeWidth=8)
    chart: alt.Chart = (area if wide else bar).encode(low, alt.Y2(high))
    return chart


def _bound_name(table: Rows, name: str) -> alt.Chart:
    """Return the words "upper bound" beside the line: outside, and early, where the bounds are far apart."""
    place = alt.Chart(alt.InlineData(values=[table[len(table) // 6]]))
    outside: dict[str, Any] = {"upper": {"baseline": "bottom", "dy": -5}, "lower": {"baseline": "top", "dy": 5}}[name]
    text: alt.Chart = place.mark_text(text=f"{name} bound", color=TEXT, fontSize=12, align="left", dx=5, **outside)
    return text


def _references(trial: Record, up: Axis) -> list[alt.Chart]:
    """Return a dotted line at each learning rate that was set, with its name."""
    rates = {name: trial.hyper.get(name) for name in ("lr", "final_lr")}
    shown = [
        {"rate": value, "name": f"{name} {value:.3g}"}
        for name, value in rates.items()
        if isinstance(value, int | float) and _positive(value) is not None
    ]
    base = alt.Chart(alt.InlineData(values=shown)).encode(up.y("rate"))
    text = base.mark_text(color=MUTED, align="left", baseline="bottom", dx=4, dy=-2, fontSize=12)
    rule = base.mark_rule(color=MUTED, strokeDash=[1, 3], strokeWidth=1.3, clip=True)
    return [rule, text.encode(alt.Text("name:N"), x=alt.value(0))] if shown else []


def _tooltip(bounds: Sequence[str]) -> list[alt.Tooltip]:
    titles = {name: f"{int(name[1:])} % of weights below" for name in NAMES} | {MEDIAN: "median"}
    return [
        alt.Tooltip("step:Q"),
        *(
            alt.Tooltip(f"{name}:Q", title=titles.get(name, f"{name} bound"), format=".3~g")
            for name in (*NAMES, *bounds)
        ),
    ]
