"""Two pictures of tuning: where an optimizer's good learning rates lie, and what more trials would have bought.

The first has a panel for each optimizer on shared axes, since in one panel nine points of each lie on each other. The
second has all in one, to be compared at equal budgets. Both show validation accuracy: tuning sees no test image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from surefoot.analysis import TuningRow
from surefoot.analysis.tuning import Tried
from surefoot.report.figure import Figure, Panel, Rows, chart_of, colour, lines
from surefoot.report.scales import accuracy_axis, log_axis, log_domain
from surefoot.report.theme import CROSS, LOST, TEXT, Style

EXPECTED = {"mean": "expected best", "low": "band from", "high": "band to"}
SMALLEST_ERROR = 1e-5

SENSITIVITY = (
    "Every configuration that tuning tried: its learning rate against its validation accuracy at the end. Ringed: what "
    "was chosen. What to see: a broad top forgives a badly chosen learning rate, a sharp one does not; a ring "
    "at the left or right end says that a better one may lie beyond. Both axes are shared; the accuracy axis stretches "
    "towards 100 %, so that equal steps are equal factors in errors made."
)
CROSSES = "Red crosses at the bottom: configurations that diverged or failed."
OTHERS = "Where more than the learning rate was searched, neighbours differ in the rest too; the pointer shows it."
BEST_OF = (
    "The validation accuracy to be expected of the best of k trials, if only k of those that were run had been run, "
    "over all choices of k. What to see: a curve that is high at the left needs little tuning; where two cross, the "
    "winner depends on the budget. The value is validation accuracy, by which the best is chosen, because tuning never "
    "sees the test images; so it is somewhat too high. Bands: 95 % of resamples of the trials, too narrow at the "
    "right, where no resample knows a better trial than the best. A trial that diverged counts as 0 %, one of an "
    "extended search like the others, although it knew where to look."
)


@dataclass(frozen=True)
class Axes:
    """The axes that all panels share, each as scale and axis; `bottom` is the error at the lower end."""

    rates: tuple[alt.Scale, alt.Axis]
    accuracies: tuple[alt.Scale, alt.Axis]
    bottom: float

    def x(self) -> alt.X:
        """The learning rate."""
        return alt.X("lr:Q", scale=self.rates[0], axis=self.rates[1])

    def y(self) -> alt.Y:
        """The validation accuracy, by its error."""
        return alt.Y("error:Q", scale=self.accuracies[0], axis=self.accuracies[1])


def sensitivity(rows: Sequence[TuningRow], looks: Sequence[Style]) -> Figure:
    """A panel for each optimizer whose learning rate was searched; `looks` has a style for each of the rows."""
    by_label = {look.label: look for look in looks}
    axes = _axes([one for row in rows for one in row.tried if _has_place(one)])
    tables = {row.label: table for row in rows if (table := _table(row, axes))}
    names = {label: f"tried {place}" for place, label in enumerate(tables)}
    panels = tuple(Panel(label, _panel(names[label], by_label[label], axes)) for label, table in tables.items())
    return Figure(
        name="tuning-learning-rate",
        title="Validation accuracy by learning rate",
        caption=" ".join([SENSITIVITY, *_remarks(rows)]),
        panels=panels,
        datasets={names[label]: table for label, table in tables.items()},
        columns=2 if len(panels) in (2, 4) else 3,
        legend=False,
    )


def best_of(rows: Sequence[TuningRow], looks: Sequence[Style]) -> Figure:
    """One panel with a line for each optimizer: the expected best of k trials."""
    points = [point for row in rows for point in _expected(row)]
    tuned = [look for look in looks if look.label in {row.label for row in rows}]
    panels = (Panel("Expected best of k trials", _best_panel(points, tuned)),) if points else ()
    return Figure("tuning-best-of", "What tuning bought", BEST_OF, panels, {"expected": points}, columns=1, legend=True)


def _has_place(one: Tried) -> bool:
    return one.values.get("lr", 0) > 0 and one.status != "running"


def _axes(tried: Sequence[Tried]) -> Axes:
    low, high = log_domain((_error(one.accuracy) for one in tried if one.accuracy is not None), pad=1.25)
    return Axes(
        log_axis("learning rate", log_domain((one.values["lr"] for one in tried), pad=1.4)),
        accuracy_axis("validation accuracy", (low, min(high, 1.0))),
        min(high, 1.0),
    )


def _table(row: TuningRow, axes: Axes) -> Rows:
    return [
        {
            "optimizer": row.label,
            "lr": one.values["lr"],
            "setting": ", ".join(f"{name} {value:.3g}" for name, value in one.values.items()),
            "accuracy": one.accuracy,
            "error": axes.bottom if one.accuracy is None else _error(one.accuracy),
            "ended": one.status,
            "chosen": one.chosen,
        }
        for one in row.tried
        if _has_place(one)
    ]


def _error(accuracy: float) -> float:
    return max(SMALLEST_ERROR, 1 - accuracy)


def _remarks(rows: Sequence[TuningRow]) -> Iterator[str]:
    if any(row.diverged or row.failed for row in rows):
        yield CROSSES
    if any(len(row.searched) > 1 for row in rows):
        yield OTHERS


def _panel(data: str, look: Style, axes: Axes) -> alt.LayerChart:
    base = chart_of(data).encode(axes.x(), axes.y())
    good, lost, chosen = (
        base.transform_filter(f"datum.{test}") for test in ("accuracy !== null", "accuracy === null", "chosen")
    )
    tooltip = [
        alt.Tooltip("setting:N"),
        alt.Tooltip("accuracy:Q", title="validation accuracy", format=".2%"),
        alt.Tooltip("ended:N"),
    ]
    layers = [
        good.mark_line(color=look.colour, strokeWidth=1, opacity=0.45),
        good.mark_point(shape=look.shape, size=55, filled=True, opacity=1, color=look.colour).encode(tooltip=tooltip),
        lost.mark_point(shape=CROSS, size=70, strokeWidth=2, opacity=1, color=LOST).encode(tooltip=tooltip),
        chosen.mark_point(shape="circle", size=260, strokeWidth=1.6, opacity=1, color=TEXT),
    ]
    return alt.LayerChart(layer=layers)


def _expected(row: TuningRow) -> Iterator[dict[str, Any]]:
    if row.curve:
        for k, (mean, low, high) in enumerate(zip(row.curve.mean, row.curve.low, row.curve.high, strict=True), 1):
            point: dict[str, Any] = {"optimizer": row.label, "k": k, "mean": mean, "low": low, "high": high}
            yield point | {"y": _error(mean), "y_low": _error(low), "y_high": _error(high)}


def _best_panel(points: Rows, looks: Sequence[Style]) -> alt.LayerChart:
    last = max(point["k"] for point in points)
    low, high = log_domain((point[end] for point in points for end in ("y", "y_low", "y_high")), pad=1.12)
    scale, axis = accuracy_axis("validation accuracy", (low, min(high, 1.0)))
    ticks = alt.Axis(title="trials (k)", tickMinStep=1, format="d", grid=False)
    x = alt.X("k:Q", scale=alt.Scale(domain=[1, max(2, last)], padding=10, nice=False), axis=ticks)
    y, edge = (alt.Y(f"{field}:Q", scale=scale, axis=axis) for field in ("y", "y_low"))
    band = chart_of("expected").mark_area(opacity=0.1, clip=True)
    tooltip = [
        alt.Tooltip("optimizer:N"),
        alt.Tooltip("k:Q", title="trials"),
        *(alt.Tooltip(f"{end}:Q", title=title, format=".2%") for end, title in EXPECTED.items()),
    ]
    layers = [band.encode(x, edge, alt.Y2("y_high"), colour(looks)), *lines("expected", looks, x, y, tooltip)]
    return alt.LayerChart(layer=layers)
