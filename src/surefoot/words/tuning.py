"""The tuning of each optimizer, as tables: a short one in print, and the fairness ledger of the page.

The ledger shows whether a comparison is fair. Trials, dimensions and time are to be alike in all rows. The choice is to
lie within the range that was tried. Tuning seeds are to differ from measuring seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from surefoot.analysis import Summary, TuningRow
from surefoot.analysis.configurations import Searched
from surefoot.store.ranges import GIVEN_BY_USER
from surefoot.words.cells import AnyCell, Cell, Column, Table, Text, lines, of, plain_table, tabulate, text
from surefoot.words.numbers import DURATION, MISSING, WHOLE_PERCENT, Written, join, numbers_in_words, short

SCALES = {"log": "log", "log of 1 - x": "log of 1 − x", "linear": "linear"}

ENDS = ("diverged", "failed", "unfinished")
"""The ways in which a trial ends without a result. The first is shown even if no trial ended so."""

CUMULATIVE = (
    "The mean height of the curve above. Small budgets count most in CPE, all budgets alike in CPU, large ones most in "
    "CPL."
)

TRIALS = (
    "A trial is one configuration; diverged ones count. More trials than planned: a best learning rate lay at an edge "
    "of its range, so the search went on beyond it. Every other optimizer then got as many more trials within its own "
    "range."
)
RACE = (
    " In a race all get the same rounds: three seeds, then one more each. A configuration that is clearly behind "
    "another (paired t-tests) is dropped."
)


def tuning_table(summary: Summary) -> Table | None:
    """Return what tuning tried, chose and gained, a row per tuned optimizer; None where nothing was tuned."""
    return tabulate(PRINTED, summary.tuning, summary) if summary.tuning else None


def ledger(summary: Summary) -> Table | None:
    """Return what each optimizer's tuning got, where it searched, and what it found; None where nothing was tuned."""
    return tabulate(LEDGER, summary.tuning, summary, "page") if summary.tuning else None


def cumulative_table(summary: Summary) -> Table | None:
    """Return the cumulative performance of each tuned optimizer; None where nothing was tuned."""
    value = Written(summary.metric).value
    rows: list[tuple[AnyCell, ...]] = [
        (text(row.label), *(Cell(mean, value) for mean in (one.early, one.uniform, one.late)))
        for row in summary.tuning
        if (one := row.cumulative)
    ]
    head = ("Optimizer", "Early (CPE)", "Uniform (CPU)", "Late (CPL)")
    return plain_table(head, rows, CUMULATIVE) if rows else None


def _each(write: Callable[[Searched], str]) -> Callable[[TuningRow, Summary], Text]:
    """Return the function that makes a cell with a line for each searched hyperparameter."""
    return lambda row, _: lines(map(write, row.searched))


def _count(end: str) -> Column[TuningRow]:
    def shown(summary: Summary) -> bool:
        return end == ENDS[0] or any(getattr(row, end) for row in summary.tuning)

    return Column(end.capitalize(), lambda row, _: text(str(getattr(row, end))), shown=shown)


def _gain_heading(summary: Summary) -> str:
    symbol = Written(summary.metric).signed.symbol
    return f"Gain, {symbol}" if symbol else "Gain"


def _chosen(one: Searched) -> str:
    return f"{one.name} {MISSING if one.chosen is None else short(one.chosen)}"


PRINTED: list[Column[TuningRow]] = [
    Column("Optimizer", lambda row, _: text(row.defaults or row.label)),
    Column("Trials", lambda row, _: text(str(row.trials))),
    *(_count(end) for end in ENDS),
    Column("Chosen", _each(_chosen)),
    Column("Tried", _each(lambda one: f"{short(one.low)}..{short(one.high)}")),
    Column(
        _gain_heading,
        lambda row, summary: of(row.gain, Written(summary.metric).signed.bare),
        shown=lambda summary: any(row.gain for row in summary.tuning),
    ),
]


def _trials(row: TuningRow, _: Summary) -> Text:
    planned = len(row.planned.configurations) if row.planned else row.trials
    below = [f"{planned} planned, {row.trials - planned} more"] if row.trials > planned else []
    raced = f"raced on {row.race} seeds at most" if row.race else f"on {len(row.seeds)} seeds"
    below += [f"best {row.finalists} {raced}"] if row.finalists else []
    below += [f"{_values(one.values)} dropped after {one.after}" for one in row.eliminated]
    counts = {end: getattr(row, end) for end in ENDS}
    below += [f"{count} {end}" for end, count in counts.items() if count or end == ENDS[0]]
    return text(str(row.trials), *below)


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {short(value)}" for name, value in values.items())


def _planned(row: TuningRow, _: Summary) -> Text:
    """Return every range as it was planned, in readable numbers. A user's own is named as one."""
    if row.planned is None:
        return text(MISSING)
    given = [name for name, source in row.planned.sources.items() if source == GIVEN_BY_USER]
    ranges = (f"{name} {one.text}" for name, one in row.planned.ranges.items())
    return lines(ranges, [f"{join(given)} given"] if given else ())


def _tried(row: TuningRow, _: Summary) -> Text:
    """Return the ranges of what was tried; below them the number of dimensions, and the scale of each."""
    ranges = [f"{one.name} {short(one.low)} to {short(one.high)}" for one in row.searched]
    scales = [SCALES[one.scale] for one in row.searched]
    if len(scales) == 1:
        return lines(ranges, [f"1 dimension, {scales[0]}"])
    named = (f"{one.name} {scale}" for one, scale in zip(row.searched, scales, strict=True))
    return lines(ranges, [f"{len(scales)} dimensions", *named])


def _choice(row: TuningRow, _: Summary) -> Text:
    """Return what was chosen, and below it the place of the learning rate. An edge is named as one."""
    place, count = row.lr_place or (0, 0)
    below = [f"{row.edge} of {count}" if row.edge else f"rate {place} of {count}"] if row.lr_place else []
    return lines(map(_chosen, row.searched), below)


def _best(row: TuningRow, summary: Summary) -> Text:
    best, median = (Cell(value, Written(summary.metric).value) for value in (row.best, row.median))
    return text(str(best), f"median {median}")


def _good(row: TuningRow, _: Summary) -> Text:
    good = row.good_rates
    return text(WHOLE_PERCENT(good.share), f"of {good.decades:.1f} decades") if good else text(MISSING)


def _within(summary: Summary) -> str:
    """Return how near to its optimizer's best a learning rate must be to count as good."""
    size = Written(summary.metric).size
    margins = sorted({size(row.good_rates.within) for row in summary.tuning if row.good_rates})
    near = f"within {margins[0]} of" if len(margins) == 1 else "about as good as"
    return (
        "Good rates: the share of the tried range of learning rates, on a logarithmic axis, whose nearest trial is "
        f"{near} this optimizer's best."
    )


def _gain_caption(summary: Summary) -> str:
    bounds = " [95 % interval, not adjusted]" if any(row.n > 1 for row in summary.rows) else ""
    return f"Gain: how much better the test {summary.metric.title} is tuned than untuned, paired by seed{bounds}."


LEDGER: list[Column[TuningRow]] = [
    Column("Optimizer", lambda row, _: text(row.label)),
    Column(
        "Trials",
        _trials,
        lambda summary: TRIALS + (RACE if any(row.race for row in summary.tuning) else ""),
    ),
    Column(
        "Planned range",
        _planned,
        "Planned range: decided before the first trial. The search never leaves a range that you gave.",
    ),
    Column("Tried", _tried),
    Column("Chosen", _choice),
    Column(
        lambda summary: f"Validation {summary.metric.title}",
        _best,
        "Validation figures are taken at the end of training.",
    ),
    Column("Good rates", _good, _within),
    Column(
        "Training spent",
        lambda row, _: Cell(row.train_seconds, DURATION),
        "Training spent: all tuning trials, evaluation not counted.",
    ),
    Column(
        "Seeds",
        lambda row, _: text(numbers_in_words(row.seeds), f"then {numbers_in_words(row.measuring_seeds) or 'none yet'}"),
    ),
    Column("Gain", lambda row, summary: of(row.gain, Written(summary.metric).signed), _gain_caption),
]
