"""When each optimizer came to its targets, as a table."""

from __future__ import annotations

from surefoot.analysis import Arrivals, Summary
from surefoot.analysis.survival import Survival
from surefoot.words.cells import Table, Text, plain_table, text
from surefoot.words.numbers import DURATION, MISSING, PLAIN, Unit
from surefoot.words.scale import Written


def arrival_table(summary: Summary) -> Table | None:
    """When each optimizer came to each target: median epochs, and below them steps, seconds and how many arrived."""
    written, name = Written(summary.metric), summary.metric.title
    header = ("Optimizer", *(f"Validation {name} {written.target(one.target)}" for one in summary.arrivals))
    rows = [(text(row.label), *(_cell(one, row.label) for one in summary.arrivals)) for row in summary.rows]
    bounds = " [95 % interval; … where its end was not seen]" if any(row.n > 1 for row in summary.rows) else ""
    caption = f"When at least half of the trials had arrived{bounds}, and how many ever did."
    return plain_table(header, rows, caption) if summary.arrivals else None


def _cell(one: Arrivals, label: str) -> Text:
    epochs = one.epochs.get(label)
    if epochs is None:
        return text(MISSING)
    arrived = f"{epochs.reached} of {epochs.of} arrived"
    if epochs.median is None:
        return text("not reached" if epochs.reached == 0 else "later than seen", arrived)
    unit = "epoch" if epochs.median == 1 else "epochs"
    steps = (f"{one.steps[label].median:,g} steps",) if label in one.steps else ()
    seconds = one.seconds[label]
    time = () if seconds.median is None else (f"{DURATION(seconds.median)}{_bounds(seconds, DURATION)}",)
    return text(f"{PLAIN(epochs.median)} {unit}{_bounds(epochs, PLAIN)}", *time, *steps, arrived)


def _bounds(way: Survival, write: Unit) -> str:
    """The interval of a median; its upper end is not known where all the rest arrived at once."""
    if way.of < 2 or way.median_low is None:
        return ""
    low, high = way.median_low, way.median_high
    return f" [{write(low)}, …]" if high is None else f" {write.bounds(low, high)}"
