"""Two pictures of tuning: where an optimizer's good learning rates lie, and what more trials would have bought.

The first has a panel for each optimizer, on shared axes: in one panel their points would hide each other. The second
has all optimizers in one, to compare them at equal budgets. Both show the validation metric: tuning sees no test data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import altair as alt

from surefoot.analysis import TuningRow
from surefoot.analysis.configurations import Configuration
from surefoot.report.axes import Axis, counting_axis, log_axis, log_domain
from surefoot.report.figure import LINE, MARKS, Panel, ReportFigure, chart_of, colour, left_out, lines, thinned
from surefoot.report.quantity import Quantity
from surefoot.report.theme import CROSS, LOST, TEXT, Style
from surefoot.store.protocol import Metric
from surefoot.words import Written

EXPECTED = {"mean": "expected best", "low": "band from", "high": "band to"}

SENSITIVITY = (
    "What to see: a broad {best} forgives a badly chosen learning rate, a sharp one does not. A ring marks what was "
    "chosen, and at the left or right end it says that a better one may lie beyond."
)
HOW = (
    "Every configuration that tuning tried: its learning rate against its validation {metric} at the end. Both axes "
    "are shared."
)
STRETCHED = "The axis stretches towards 100 %, so that equal steps are equal factors in errors made."
CROSSES = "Red crosses at the {worst}, the worst end: configurations that diverged or failed."
OTHERS = "Where more than the learning rate was searched, neighbours differ in the rest too; the pointer shows it."
BEST_OF = (
    "What to see: a curve that is good at the left needs little tuning. Where two cross, the winner depends on the "
    "budget."
)
HOW_BEST_OF = (
    "The expected validation {metric} of the best of k trials, over all choices of k from those that were run. The "
    "best was chosen by this value, because tuning never sees the test data, so it is somewhat too good. Bands: 95 % "
    "of resamples of the trials. They are too narrow at the right, where no resample knows a better trial than the "
    "best. A trial of an extended search counts like the others, although earlier trials chose its place."
)
FAILED = "A trial that diverged or failed counts as {failure}."


def sensitivity(rows: Sequence[TuningRow], looks: Sequence[Style], metric: Metric) -> ReportFigure:
    """Return a panel for each optimizer whose learning rate was searched. `looks` has a style for each row."""
    by_label = {look.label: look for look in looks}
    quantity = Quantity(f"validation {metric.title}", metric)
    placed = {row.label: tried for row in rows if (tried := _with_place(row))}
    shown = {label: _shown(tried, MARKS // len(rows)) for label, tried in placed.items()}
    every = [one for tried in placed.values() for one in tried]
    along = log_axis("learning rate", log_domain((one.values["lr"] for one in every), pad=1.4))
    up = quantity.axis([quantity.height(one.metric) for one in every if one.metric is not None])
    worst = _worst(up, metric)
    tables = {label: [_point(label, one, quantity, worst) for one in tried] for label, tried in shown.items()}
    how = [
        HOW.format(metric=metric.title),
        *([STRETCHED] if quantity.is_reversed else []),
        *_remarks(rows, metric),
        *left_out(sum(map(len, shown.values())), len(every), "configurations"),
    ]
    names = {label: f"tried {place}" for place, label in enumerate(tables)}
    return ReportFigure(
        name="tuning-learning-rate",
        title=f"Validation {metric.title} by learning rate",
        caption=SENSITIVITY.format(best="top" if metric.better == "max" else "trough"),
        panels=tuple(Panel(label, _panel(name, by_label[label], along, up, quantity)) for label, name in names.items()),
        datasets={names[label]: table for label, table in tables.items()},
        columns=2 if len(tables) in (2, 4) else 3,
        legend=False,
        how=" ".join(how),
    )


def best_of(rows: Sequence[TuningRow], looks: Sequence[Style], metric: Metric) -> ReportFigure:
    """Return one panel with a line for each optimizer: the expected best of k trials."""
    quantity = Quantity(f"validation {metric.title}", metric)
    points = [point for row in rows for point in _expected(row, quantity)]
    tuned = [look for look in looks if look.label in {row.label for row in rows}]
    panels = (Panel("Expected best of k trials", _best_panel(points, tuned, quantity)),) if points else ()
    counted = [row.failure for row in rows if row.failure is not None and (row.diverged or row.failed)]
    failed = [FAILED.format(failure=Written(metric).value(counted[0]))] if counted else []
    how = " ".join([HOW_BEST_OF.format(metric=metric.title), *failed])
    data = {"expected": points}
    return ReportFigure("tuning-best-of", "What tuning bought", BEST_OF, panels, data, 1, legend=True, how=how)


def _with_place(row: TuningRow) -> list[Configuration]:
    """Return the ended configurations with a learning rate above 0, in its order."""
    placed = [one for one in row.tried if one.values.get("lr", 0) > 0 and one.status != "running"]
    return sorted(placed, key=lambda one: one.values["lr"])


def _shown(tried: Sequence[Configuration], most: int) -> list[Configuration]:
    """Return as many configurations as a panel can show, the chosen one among them."""
    kept = thinned(tried, most)
    return kept + [one for one in tried if one.chosen and one not in kept]


def _worst(up: Axis, metric: Metric) -> float:
    """Return the height at the worst end of the picture."""
    scale = up.scale.to_dict()
    low, high = scale["domain"]
    return float(high if scale.get("reverse") or metric.better == "min" else low)


def _point(label: str, one: Configuration, quantity: Quantity, worst: float) -> dict[str, Any]:
    return {
        "optimizer": label,
        "lr": one.values["lr"],
        "setting": ", ".join(f"{name} {value:.3g}" for name, value in one.values.items()),
        "metric": one.metric,
        "y": worst if one.metric is None else quantity.height(one.metric),
        "ended": one.status,
        "chosen": one.chosen,
    }


def _remarks(rows: Sequence[TuningRow], metric: Metric) -> Iterator[str]:
    if any(row.diverged or row.failed for row in rows):
        yield CROSSES.format(worst="bottom" if metric.better == "max" else "top")
    if any(len(row.searched) > 1 for row in rows):
        yield OTHERS


def _panel(data: str, look: Style, along: Axis, up: Axis, quantity: Quantity) -> alt.LayerChart:
    base = chart_of(data).encode(along.x("lr"), up.y("y"))
    good, lost, chosen = (
        base.transform_filter(f"datum.{test}") for test in ("metric !== null", "metric === null", "chosen")
    )
    tooltip = [
        alt.Tooltip("setting:N"),
        alt.Tooltip("metric:Q", title=quantity.title, format=quantity.format),
        alt.Tooltip("ended:N"),
    ]
    layers = [
        good.mark_line(color=look.colour, strokeWidth=1, opacity=0.45),
        good.mark_point(shape=look.shape, size=55, filled=True, opacity=1, color=look.colour).encode(tooltip=tooltip),
        lost.mark_point(shape=CROSS, size=70, strokeWidth=2, opacity=1, color=LOST).encode(tooltip=tooltip),
        chosen.mark_point(shape="circle", size=260, strokeWidth=1.6, opacity=1, color=TEXT),
    ]
    return alt.LayerChart(layer=layers)


def _expected(row: TuningRow, quantity: Quantity) -> Iterator[dict[str, Any]]:
    if row.curve:
        steps = list(enumerate(zip(row.curve.mean, row.curve.low, row.curve.high, strict=True), 1))
        for k, (mean, low, high) in thinned(steps, LINE):
            point: dict[str, Any] = {"optimizer": row.label, "k": k, "mean": mean, "low": low, "high": high}
            ends = {"y": mean, "y_low": low, "y_high": high}
            yield point | {name: quantity.height(value) for name, value in ends.items()}


def _best_panel(points: Sequence[Mapping[str, Any]], looks: Sequence[Style], quantity: Quantity) -> alt.LayerChart:
    last = max(point["k"] for point in points)
    up = quantity.axis([point[end] for point in points for end in ("y", "y_low", "y_high")])
    x, y = counting_axis("trials (k)", (1, max(2, last))).x("k"), up.y("y")
    band = chart_of("expected").mark_area(opacity=0.1, clip=True)
    tooltip = [
        alt.Tooltip("optimizer:N"),
        alt.Tooltip("k:Q", title="trials"),
        *(alt.Tooltip(f"{end}:Q", title=title, format=quantity.format) for end, title in EXPECTED.items()),
    ]
    layers = [band.encode(x, up.y("y_low"), alt.Y2("y_high"), colour(looks)), *lines("expected", looks, x, y, tooltip)]
    return alt.LayerChart(layer=layers)
