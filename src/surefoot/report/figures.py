"""The figures of a report, in reading order: who converges, how surely, who generalizes, and why they differ."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

import altair as alt

from surefoot.analysis import Setting, Summary
from surefoot.analysis.settings import tuned_from
from surefoot.report.clocks import clocks
from surefoot.report.curves import curves
from surefoot.report.figure import MARKS, Panel, ReportFigure, Rows, chart_of, colour, left_out, shape, thinned
from surefoot.report.quantity import Quantity, error_of
from surefoot.report.reference import PublishedCurve
from surefoot.report.staircases import ends_of, over_seeds, survival
from surefoot.report.step_sizes import step_sizes
from surefoot.report.theme import Style, styles
from surefoot.report.tuning import best_of, sensitivity
from surefoot.store.protocol import Metric
from surefoot.store.records import Outcome, Record

CAPTION = (
    "What to see: further left fits the training data better, further {better} does better on data never seen. A point "
    "that is left of another but no further {better} learned more without generalizing better."
)
HOW = "One point per finished trial, both figures in evaluation mode."
LOSS = Quantity("training loss")


def arm_looks(arms: Sequence[Setting]) -> tuple[Style, ...]:
    """Return the style of each arm. A tuned one shares the colour of its untuned self."""
    return styles((arm.label for arm in arms), tuned_from(arms))


def figures(arms: Sequence[Setting], references: Sequence[PublishedCurve] = ()) -> tuple[ReportFigure, ...]:
    """Return the figures of the measured trials that have something to show. Colours go by the order of the arms."""
    looks = arm_looks(arms)
    every = (curves(arms, looks, references=references), generalization(arms, looks), step_sizes(arms, looks))
    return tuple(figure for figure in every if figure.panels)


def claim_figures(summary: Summary) -> tuple[ReportFigure, ...]:
    """Return the figures of the conclusions: time to targets, and the profile over seeds."""
    looks = arm_looks(summary.arms)
    every = [survival(summary.arrivals, looks, summary.protocol, ends_of(summary.arms))]
    every += [over_seeds(summary.profiles, looks, summary.protocol)] if summary.profiles else []
    return tuple(figure for figure in every if figure.panels)


def tuning_figures(summary: Summary) -> tuple[ReportFigure, ...]:
    """Return the figures of the tuning trials that have something to show."""
    tuning, looks, judged = summary.tuning, tuning_looks(summary), summary.metric
    every = (sensitivity(tuning, looks, judged), best_of(tuning, looks, judged)) if tuning else ()
    return tuple(figure for figure in every if figure.panels)


def by_other_clocks(arms: Sequence[Setting]) -> tuple[ReportFigure, ...]:
    """Return the curves against steps and seconds, for files; the page has a switch instead."""
    looks = arm_looks(arms)
    others = clocks(arms[0].trials[0].protocol)[1:] if arms else ()
    every = (curves(arms, looks, clock) for clock in others)
    return tuple(figure for figure in every if figure.panels)


def tuning_looks(summary: Summary) -> tuple[Style, ...]:
    """Return the style of each tuned optimizer: that of its arm, or the next one if it is not measured yet."""
    tuned = [row.label for row in summary.tuning]
    every = styles(dict.fromkeys([*(arm.label for arm in summary.arms), *tuned]), summary.tuned_from)
    return tuple(look for look in every if look.label in tuned)


def generalization(arms: Sequence[Setting], looks: Sequence[Style]) -> ReportFigure:
    """Return one panel: training loss on x, the test's error on y. A metric that is no share stands itself."""
    trials = [one for arm in arms for one in arm.finished if one.outcome and isfinite(one.outcome.train_loss)]
    shown = thinned(trials, MARKS)
    metric = trials[0].metric if trials else Metric()
    points = [_point(trial, trial.outcome, metric) for trial in shown if trial.outcome]
    better = "up" if metric.better == "max" and not metric.share else "down"
    caption, how = CAPTION.format(better=better), " ".join([HOW, *left_out(len(shown), len(trials), "trials")])
    panels = (_panel(points, looks, metric),) if points else ()
    data = {"trials": points}
    return ReportFigure("generalization", "Generalization", caption, panels, data, columns=1, legend=True, how=how)


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
