"""The figures of a report, in reading order: which optimizers converge, which generalize, and why they differ."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.analysis import Arm
from surefoot.report.curves import EPOCHS, SECONDS, curves
from surefoot.report.figure import Figure
from surefoot.report.rates import step_sizes
from surefoot.report.scatter import generalization
from surefoot.report.theme import styles


def figures(arms: Sequence[Arm]) -> tuple[Figure, ...]:
    """The figures that have something to show; colours go by the order of the arms."""
    looks = styles(arm.label for arm in arms)
    every = (
        curves(arms, looks, EPOCHS),
        curves(arms, looks, SECONDS),
        generalization(arms, looks),
        step_sizes(arms, looks),
    )
    return tuple(figure for figure in every if figure.panels)
