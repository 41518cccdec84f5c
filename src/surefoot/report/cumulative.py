"""Small print of tuning: the mean heights of the best-of-k curves, and what counts as a good learning rate."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.analysis import Table, TuningRow
from surefoot.analysis.scale import Scale

HEADER = ("Optimizer", "Early (CPE)", "Uniform (CPU)", "Late (CPL)")


def cumulative_table(rows: Sequence[TuningRow], scale: Scale) -> Table | None:
    """The cumulative performance of each tuned optimizer, in its validation metric; None where nothing was tuned."""
    cells = tuple(
        (row.label, *(scale.value(value) for value in (one.early, one.uniform, one.late)))
        for row in rows
        if (one := row.cumulative)
    )
    return Table(HEADER, cells) if cells else None


def within(rows: Sequence[TuningRow], scale: Scale) -> str:
    """How near to its optimizer's best a learning rate must be to count as good, in words."""
    margins = sorted({scale.size(row.good_rates.within) for row in rows if row.good_rates})
    return f"within {margins[0]} of" if len(margins) == 1 else "about as good as"
