"""Generalization: training loss against the test's error or metric, one point per finished trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from surefoot.analysis import Setting
from surefoot.report.axes import Quantity, error_of
from surefoot.report.figure import MARKS, Panel, ReportFigure, Rows, chart_of, colour, left_out, shape, thinned
from surefoot.report.theme import Style
from surefoot.store.protocol import Metric
from surefoot.store.records import Outcome, Record

CAPTION = (
    "One point per finished trial, both figures in evaluation mode. What to see: further left fits the training data "
    "better, further {better} does better on data never seen. A point that is left of another but no further {better} "
    "learned more of its training data without generalizing better."
)
LOSS = Quantity("training loss")


def generalization(arms: Sequence[Setting], looks: Sequence[Style]) -> ReportFigure:
    """One panel: training loss on x, the test's error, or its metric where that is no share, on y."""
    trials = [trial for arm in arms for trial in arm.finished]
    shown = thinned(trials, MARKS)
    metric = trials[0].metric if trials else Metric()
    points = [_point(trial, trial.outcome, metric) for trial in shown if trial.outcome]
    better = "up" if metric.better == "max" and not metric.share else "down"
    caption = " ".join([CAPTION.format(better=better), *left_out(len(shown), len(trials), "trials")])
    panels = (_panel(points, looks, metric),) if points else ()
    return ReportFigure("generalization", "Generalization", caption, panels, {"trials": points}, columns=1, legend=True)


def _point(trial: Record, outcome: Outcome, metric: Metric) -> dict[str, Any]:
    mistakes = metric.share and metric.better == "max"
    return {
        "optimizer": trial.label,
        "seed": trial.seed,
        "train_loss": outcome.train_loss,
        "test_metric": outcome.test_metric,
        "x": LOSS.height(outcome.train_loss),
        "y": error_of(metric).height(1 - outcome.test_metric if mistakes else outcome.test_metric),
    }


def _panel(points: Rows, looks: Sequence[Style], metric: Metric) -> Panel:
    quantity = error_of(metric)
    x, y = LOSS.axis([p["x"] for p in points]), quantity.axis([p["y"] for p in points])
    marks = chart_of("trials").mark_point(size=75, filled=True, opacity=0.85)
    chart = marks.encode(
        x.x("x"),
        y.y("y"),
        colour(looks),
        shape(looks),
        tooltip=[
            alt.Tooltip("optimizer:N"),
            alt.Tooltip("seed:Q"),
            alt.Tooltip("train_loss:Q", title="training loss", format=LOSS.format),
            alt.Tooltip("test_metric:Q", title=f"test {metric.title}", format=quantity.format),
        ],
    )
    return Panel(f"Training loss against {quantity.title}", alt.LayerChart(layer=[chart]))
