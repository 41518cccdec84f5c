"""The figures of a report, in reading order: who converges, how surely, who generalizes, and why they differ."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.analysis import Setting, Summary
from surefoot.analysis.settings import tuned_from
from surefoot.report.clocks import EPOCHS, clocks
from surefoot.report.curves import curves
from surefoot.report.figure import ReportFigure
from surefoot.report.reference import PublishedCurve
from surefoot.report.scatter import generalization
from surefoot.report.staircases import ends_of, over_seeds, survival
from surefoot.report.step_sizes import step_sizes
from surefoot.report.theme import Style, styles
from surefoot.report.tuning import best_of, sensitivity


def arm_looks(arms: Sequence[Setting]) -> tuple[Style, ...]:
    """The style of each arm; a tuned one shares the colour of the one that it was tuned from."""
    return styles((arm.label for arm in arms), tuned_from(arms))


def figures(arms: Sequence[Setting], references: Sequence[PublishedCurve] = ()) -> tuple[ReportFigure, ...]:
    """The figures of the measured trials that have something to show; colours go by the order of the arms."""
    looks = arm_looks(arms)
    every = (curves(arms, looks, EPOCHS, references), generalization(arms, looks), step_sizes(arms, looks))
    return tuple(figure for figure in every if figure.panels)


def claim_figures(summary: Summary) -> tuple[ReportFigure, ...]:
    """The figures of what was concluded: time to targets, and the profile over seeds."""
    looks = arm_looks(summary.arms)
    every = [survival(summary.arrivals, looks, summary.metric, ends_of(summary.arms))]
    every += [over_seeds(summary.profiles, looks, summary.metric)] if summary.profiles else []
    return tuple(figure for figure in every if figure.panels)


def tuning_figures(summary: Summary) -> tuple[ReportFigure, ...]:
    """The figures of the tuning trials that have something to show."""
    tuning, looks, judged = summary.tuning, tuning_looks(summary), summary.metric
    every = (sensitivity(tuning, looks, judged), best_of(tuning, looks, judged)) if tuning else ()
    return tuple(figure for figure in every if figure.panels)


def by_other_clocks(arms: Sequence[Setting]) -> tuple[ReportFigure, ...]:
    """The curves against steps and seconds, for files; the page has a switch instead."""
    looks = arm_looks(arms)
    known = clocks(arms[0].trials[0].protocol) if arms else ()
    every = (curves(arms, looks, clock) for clock in known if clock is not EPOCHS)
    return tuple(figure for figure in every if figure.panels)


def tuning_looks(summary: Summary) -> tuple[Style, ...]:
    """The style of each tuned optimizer: the one of its arm, or of the next arms where it is not measured yet."""
    tuned = [row.label for row in summary.tuning]
    every = styles(dict.fromkeys([*(arm.label for arm in summary.arms), *tuned]), summary.tuned_from)
    return tuple(look for look in every if look.label in tuned)
