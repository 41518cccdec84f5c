"""What the page adds to the result table: the settings below a name, the area, and what tuning gained.

The terminal has tables of their own for these; on the page a reader looks for them in the row of the optimizer.
"""

from __future__ import annotations

from surefoot.analysis import Row, Summary, TuningRow
from surefoot.analysis.wording import MISSING, with_bounds


def setting(row: Row, tuning: TuningRow | None) -> str:
    """The hyperparameters that tuning chose; of an untuned optimizer the learning rate."""
    chosen = {one.name: one.chosen for one in tuning.searched if one.chosen is not None} if tuning else {}
    values = chosen or {name: value for name, value in row.hyper.items() if name == "lr"}
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items())


def further_header(summary: Summary) -> tuple[str, ...]:
    """The headings of the columns that say something in this study."""
    gained = any(row.gain for row in summary.tuning)
    return (*(["Area"] if any(row.area for row in summary.rows) else []), *(["Gain"] if gained else []))


def further(row: Row, tuning: TuningRow | None, summary: Summary) -> tuple[str, ...]:
    """The cells under `further_header`."""
    gain = with_bounds(tuning.gain, summary.scale.signed) if tuning else MISSING
    cells = {"Area": with_bounds(row.area, summary.scale.value), "Gain": gain}
    return tuple(cells[name] for name in further_header(summary))


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
