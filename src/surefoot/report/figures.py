"""The figures of a report, in reading order: which optimizers converge, which generalize, and why they differ."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.analysis import Arm, TuningRow
from surefoot.report.curves import EPOCHS, SECONDS, curves
from surefoot.report.figure import Figure
from surefoot.report.rates import step_sizes
from surefoot.report.scatter import generalization
from surefoot.report.theme import Style, styles
from surefoot.report.tuning import best_of, sensitivity


def figures(arms: Sequence[Arm]) -> tuple[Figure, ...]:
    """The figures of the measured trials that have something to show; colours go by the order of the arms."""
    looks = styles(arm.label for arm in arms)
    every = (
        curves(arms, looks, EPOCHS),
        curves(arms, looks, SECONDS),
        generalization(arms, looks),
        step_sizes(arms, looks),
    )
    return tuple(figure for figure in every if figure.panels)


def tuning_figures(tuning: Sequence[TuningRow], looks: Sequence[Style]) -> tuple[Figure, ...]:
    """The figures of the tuning trials that have something to show; `looks` come from `tuning_looks`."""
    return tuple(figure for figure in (sensitivity(tuning, looks), best_of(tuning, looks)) if figure.panels)


def tuning_looks(arms: Sequence[Arm], tuning: Sequence[TuningRow]) -> tuple[Style, ...]:
    """The style of each tuned optimizer: the one of its arm, or of the next arms where it is not measured yet."""
    tuned = [row.label for row in tuning]
    every = styles(dict.fromkeys([*(arm.label for arm in arms), *tuned]))
    return tuple(look for look in every if look.label in tuned)
