"""Generalization: training loss against test error, one point per finished trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from surefoot.analysis import Arm
from surefoot.report.figure import Figure, Panel, Rows, chart_of, colour, shape
from surefoot.report.scales import error_axis, log_axis, log_domain
from surefoot.report.theme import Style
from surefoot.store.records import Record

CAPTION = (
    "One point per finished trial, both figures in evaluation mode. What to see: further left fits the training "
    "images better, further down makes fewer errors on images never seen. A point that is left of another but not "
    "below it learned more of its training data without generalizing better."
)


def generalization(arms: Sequence[Arm], looks: Sequence[Style]) -> Figure:
    """One panel: training loss on x, test error on y, both logarithmic."""
    points = [_point(trial) for arm in arms for trial in arm.finished]
    panels = (_panel(points, looks),) if points else ()
    return Figure("generalization", "Generalization", CAPTION, panels, {"trials": points}, columns=1, legend=True)


def _point(trial: Record) -> dict[str, Any]:
    outcome = trial.outcome
    if outcome is None:
        return {}
    return {
        "optimizer": trial.label,
        "seed": trial.seed,
        "train_loss": outcome.train_loss,
        "test_metric": outcome.test_metric,
        "x": max(outcome.train_loss, 1e-7),
        "y": max(1 - outcome.test_metric, 1e-5),
    }


def _panel(points: Rows, looks: Sequence[Style]) -> Panel:
    x_scale, x_axis = log_axis("training loss (evaluation mode)", log_domain((p["x"] for p in points), pad=1.25))
    y_scale, y_axis = error_axis("test error", log_domain((p["y"] for p in points), pad=1.25))
    marks = chart_of("trials").mark_point(size=75, filled=True, opacity=0.85)
    chart = marks.encode(
        alt.X("x:Q", scale=x_scale, axis=x_axis),
        alt.Y("y:Q", scale=y_scale, axis=y_axis),
        colour(looks),
        shape(looks),
        tooltip=[
            alt.Tooltip("optimizer:N"),
            alt.Tooltip("seed:Q"),
            alt.Tooltip("train_loss:Q", title="training loss", format=".4f"),
            alt.Tooltip("test_metric:Q", title="test accuracy", format=".2%"),
        ],
    )
    return Panel("Training loss against test error", alt.LayerChart(layer=[chart]))
