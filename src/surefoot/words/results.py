"""The result table, with a row for each optimizer and a column for each of `COLUMNS`; and when targets were reached.

A column that says nothing in a study is left out: time to a target where there is none, how trials ended where all have
finished, gaps where all are zero because a task has no examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from surefoot.analysis import ResultRow, Summary
from surefoot.analysis.target import Arrivals
from surefoot.statistics.intervals import Interval
from surefoot.statistics.survival import Survival
from surefoot.store.protocol import Metric, TrainingUnit
from surefoot.words.cells import Cell, Column, Table, Text, Where, of, plain_table, tabulate, text
from surefoot.words.numbers import (
    COUNTED,
    DURATION,
    LOSS,
    MEMORY,
    MILLISECONDS,
    MISSING,
    PLAIN,
    SIGNED,
    WHOLE_PERCENT,
    Unit,
    Written,
    short,
)


def table(summary: Summary, where: Where = "print") -> Table:
    """Return the result table of a summary."""
    return tabulate((*COLUMNS, *_further(summary)), summary.rows, summary, where)


def _further(summary: Summary) -> Iterator[Column[ResultRow]]:
    """Yield the columns of the metrics that judge nothing, none under the heading of the loss or of another metric.

    An older store may have two metrics of one name.
    """
    taken = {summary.metric.title}
    for name in dict.fromkeys(name for row in summary.rows for name in row.others):
        title = Metric(name).title
        while title in taken:
            title = f"metric {title}"
        taken.add(title)
        yield _of_another(title, name)


def _of_another(title: str, name: str) -> Column[ResultRow]:
    return Column(f"Test {title}", lambda row, _: of(row.others.get(name), LOSS))


def state(row: ResultRow) -> str:
    """Return how the trials of a row ended: "10 finished", "8 finished, 2 diverged"."""
    counts = {"finished": row.n, "diverged": row.diverged, "failed": row.failed, "unfinished": row.unfinished}
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _left(row: ResultRow, summary: Summary) -> list[str]:
    """Return a remark for a row that got no more seeds after a look; else nothing."""
    left, taken = (summary.interim.left, summary.interim.taken) if summary.interim else ((), ())
    out = any(one.label == row.label and one.seeds < taken[-1] for one in left)
    return ["no more after a look"] if out else []


def setting(row: ResultRow, summary: Summary) -> str:
    """Return the hyperparameters that tuning chose; for an untuned optimizer its learning rate."""
    tuning = summary.tuning_of(row.label)
    chosen = {one.name: one.chosen for one in tuning.searched if one.chosen is not None} if tuning else {}
    values = chosen or {name: value for name, value in row.hyper.items() if name == "lr"}
    return ", ".join(f"{name} {short(value) if isinstance(value, float) else value}" for name, value in values.items())


def _has_loss(summary: Summary) -> bool:
    """Return whether there is a loss to show. A training function may report none beside its metric."""
    return not summary.protocol.own_loop or any(row.test_loss for row in summary.rows)


def _has_metric(summary: Summary) -> bool:
    """Return whether there is a metric beside the loss. A task that is judged by its loss has none."""
    return not summary.metric.is_loss


def _any(summary: Summary, gaps: Sequence[Interval | None]) -> bool:
    """Return whether gaps say something: none is known, or one is not zero. A training function's are not known."""
    known = [gap for gap in gaps if gap]
    return not (known or summary.protocol.own_loop) or any(gap.mean or gap.low or gap.high for gap in known)


def _to_target(name: Callable[[Summary], str], clock: Literal["epochs", "seconds"], unit: Unit) -> Column[ResultRow]:
    def cell(row: ResultRow, summary: Summary) -> Cell | Text:
        if row.reach is None:
            return Cell(None)
        reached, of, median = row.reach.reached, row.reach.of, getattr(row.reach, clock)
        if median is None:
            return text(f"only {reached} of {of}" if reached else "not reached")
        if clock == "seconds":
            return Cell(median, unit)
        several = any(len(other.seeds) > 1 for other in summary.rows)
        return Cell(median * summary.protocol.unit.each, unit, note=f"{reached}/{of}" if several else "")

    def shown(summary: Summary) -> bool:
        told = any(row.reach and row.reach.epochs is not None for row in summary.rows) and clock == "epochs"
        return summary.target is not None or told

    def heading(summary: Summary) -> str:
        target = "target" if summary.target is None else Written(summary.metric).target(summary.target)
        return f"{name(summary)} to {target}"

    return Column(heading, cell, shown=shown)


def _gain(row: ResultRow, summary: Summary) -> Cell:
    tuning = summary.tuning_of(row.label)
    return of(tuning.gain if tuning else None, Written(summary.metric).signed)


def _rate(row: ResultRow) -> tuple[str, ...]:
    """Return the share of trials that diverged, with its interval, where several seeds give one."""
    share = row.divergence
    if share is None or not row.diverged or share.of < 2:
        return ()
    return (f"{WHOLE_PERCENT(share.value)} {WHOLE_PERCENT.bounds(share.low, share.high)} diverged",)


def _once(summary: Summary) -> str:
    several = any(row.n > 1 for row in summary.rows)
    more = " Several seeds: mean [95 % interval]; (k/n): k of n trials reached the target."
    return f"Test figures are taken once, after the last {summary.protocol.unit.word}.{more if several else ''}"


TAKEN_ALIKE = {
    False: "All optimizers get the same number of gradients, so it takes fewer steps.",
    True: "All get the same number of epochs, as the training function says.",
}
"""The effort that is equal for all, by whether the training is a function of the user's."""

GAPS = "Gaps are validation minus training, both in evaluation mode at the end."

COLUMNS: list[Column[ResultRow]] = [
    Column("Optimizer", lambda row, _: text(row.label)),
    Column(
        "Trials",
        lambda row, summary: text(state(row), *_rate(row), *_left(row, summary)),
        shown=lambda summary: any(row.n < len(row.seeds) or row.n != summary.rows[0].n for row in summary.rows),
        style="trials",
    ),
    Column(
        "Test loss",
        lambda row, _: of(row.test_loss, LOSS),
        _once,
        shown=_has_loss,
        style=lambda summary: "" if _has_metric(summary) else "judged",
    ),
    Column(
        lambda summary: f"Test {summary.metric.title}",
        lambda row, summary: of(row.test_metric, Written(summary.metric).value),
        shown=_has_metric,
        style="judged",
    ),
    Column(
        "Loss gap",
        lambda row, _: of(row.loss_gap, SIGNED),
        GAPS,
        shown=lambda summary: _any(summary, [row.loss_gap for row in summary.rows]),
    ),
    Column(
        lambda summary: f"{summary.metric.heading} gap",
        lambda row, summary: of(row.metric_gap, Written(summary.metric).signed),
        GAPS,
        shown=lambda summary: _has_metric(summary) and _any(summary, [row.metric_gap for row in summary.rows]),
    ),
    _to_target(lambda summary: f"{summary.protocol.unit.word.capitalize()}s", "epochs", COUNTED),
    _to_target(lambda _: "Time", "seconds", DURATION),
    Column(
        "Time per step", lambda row, _: Cell(row.step_seconds, MILLISECONDS), shown=lambda summary: summary.trained_here
    ),
    Column(
        "Gradients per step",
        lambda row, _: Cell(row.gradients, PLAIN),
        lambda summary: (
            "Gradients per step is how often a step computed loss and gradients. An optimizer with a closure takes "
            f"several; its times have them all. {TAKEN_ALIKE[summary.protocol.own_loop]}"
        ),
        shown=lambda summary: any(row.gradients not in (None, 1) for row in summary.rows),
    ),
    Column("Training", lambda row, _: Cell(row.train_seconds, DURATION), shown=lambda summary: summary.trained_here),
    Column(
        "State memory",
        lambda row, _: Cell(row.optimizer_bytes, MEMORY),
        "State memory is what the optimizer keeps beside weights and gradients.",
        shown=lambda summary: summary.trained_here,
    ),
    Column(
        "Area",
        lambda row, summary: of(row.area, Written(summary.metric).value),
        lambda summary: (
            f"Area: the mean height of the curve of validation {summary.metric.title} over "
            f"{summary.protocol.unit.word}s. It is better for an optimizer that learns early."
        ),
        where="page",
        shown=lambda summary: any(row.area for row in summary.rows),
    ),
    Column(
        "Gain",
        _gain,
        "Gain: tuned against untuned, paired by seed.",
        where="page",
        shown=lambda summary: any(row.gain for row in summary.tuning),
    ),
]


def arrival_table(summary: Summary) -> Table | None:
    """Return the median epochs to each target, above seconds, steps and arrivals; None where there is no target."""
    written, name = Written(summary.metric), summary.metric.title
    header = ("Optimizer", *(f"Validation {name} {written.target(one.target)}" for one in summary.arrivals))
    rows = [
        (text(row.label), *(_arrival(one, row.label, summary.protocol.unit) for one in summary.arrivals))
        for row in summary.rows
    ]
    bounds = " [95 % interval; … where its end is unknown]" if any(row.n > 1 for row in summary.rows) else ""
    caption = f"Arrived: reached the target. Shown: when half of the trials had arrived{bounds}, and how many ever did."
    return plain_table(header, rows, caption) if summary.arrivals else None


def _arrival(one: Arrivals, label: str, unit: TrainingUnit) -> Text:
    epochs = one.epochs.get(label)
    if epochs is None:
        return text(MISSING)
    arrived = f"{epochs.reached} of {epochs.of} arrived"
    if epochs.median is None:
        return text("not reached" if epochs.reached == 0 else "later than seen", arrived)
    steps = (f"{one.steps[label].median:,g} steps",) if label in one.steps and unit.word == "epoch" else ()
    write = COUNTED.times(unit.each)
    seconds = one.seconds[label]
    time = () if seconds.median is None else (f"{DURATION(seconds.median)}{_bounds(seconds, DURATION)}",)
    return text(f"{unit.amount(epochs.median)}{_bounds(epochs, write)}", *time, *steps, arrived)


def _bounds(way: Survival, write: Unit) -> str:
    """Return the interval of a median. Its upper end is unknown where all the rest arrived at once."""
    if way.of < 2 or way.median_low is None:
        return ""
    low, high = way.median_low, way.median_high
    return f" [{write(low)}, …]" if high is None else f" {write.bounds(low, high)}"
