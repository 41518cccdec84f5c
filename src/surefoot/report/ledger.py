"""The fairness ledger: what each optimizer's tuning was given, where it was to look and looked, and what it got.

Whether a comparison is fair shows here and nowhere else: trials, dimensions and time are to be alike in all rows, the
choice is to lie within the range that was tried, and tuning seeds are to be others than those that measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.analysis import TuningRow
from surefoot.analysis.scale import Scale
from surefoot.analysis.tuning import Searched
from surefoot.analysis.tuning_words import numbers_in_words
from surefoot.analysis.wording import MISSING, duration, join, with_bounds
from surefoot.report.theme import Style
from surefoot.store.design import Search
from surefoot.store.ranges import GIVEN_BY_USER

BEFORE = ("Optimizer", "Trials", "Planned range", "Tried", "Chosen")
AFTER = ("Good rates", "Training spent", "Seeds", "Gain")
SCALES = {"log": "log", "log of 1 - x": "log of 1 − x", "linear": "linear"}


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, line by line, and the small print below it."""

    lines: tuple[str, ...]
    below: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A row of the ledger; its cells follow `header` after the optimizer."""

    look: Style
    cells: tuple[Cell, ...]


def header(scale: Scale) -> tuple[str, ...]:
    """The headings of the ledger's columns."""
    return (*BEFORE, f"Validation {scale.name}", *AFTER)


def ledger(
    rows: Sequence[TuningRow],
    looks: Sequence[Style],
    scale: Scale | None = None,
) -> list[Entry]:
    """An entry for each tuned optimizer.

    Args:
        rows: what the records tell of each.
        looks: a style for each of them.
        scale: that of accuracy if None.
    """
    by_label = {look.label: look for look in looks}
    return [Entry(by_label[row.label], _cells(row, scale or Scale())) for row in rows]


def _cells(row: TuningRow, scale: Scale) -> tuple[Cell, ...]:
    ends = {"diverged": row.diverged, "failed": row.failed, "unfinished": row.unfinished}
    below = tuple(f"{count} {what}" for what, count in ends.items() if count or what == "diverged")
    good = row.good_rates
    return (
        Cell((str(row.trials),), (*_beyond(row), *_again(row), *below)),
        _planned(row.planned),
        Cell(tuple(_range(one) for one in row.searched) or (MISSING,), _scales(row.searched)),
        Cell(tuple(_chosen(one) for one in row.searched) or (MISSING,), _place(row)),
        Cell((_value(row.best, scale),), (f"median {_value(row.median, scale)}",)),
        Cell((f"{100 * good.share:.0f} %",), (f"of {good.decades:.1f} decades",)) if good else Cell((MISSING,)),
        Cell((duration(row.train_seconds),)),
        Cell((numbers_in_words(row.seeds),), (f"then {numbers_in_words(row.measuring_seeds) or 'none yet'}",)),
        _stacked(with_bounds(row.gain, scale.signed)),
    )


def _beyond(row: TuningRow) -> tuple[str, ...]:
    """How many of the configurations came on top of the plan."""
    planned = len(row.planned.configurations) if row.planned else row.trials
    return (f"{planned} planned, {row.trials - planned} more",) if row.trials > planned else ()


def _again(row: TuningRow) -> tuple[str, ...]:
    return (f"best {row.finalists} on {len(row.seeds)} seeds",) if row.finalists else ()


def _planned(planned: Search | None) -> Cell:
    """Every range as it was decided beforehand, decoded; a user's own is named as one."""
    if planned is None:
        return Cell((MISSING,))
    given = [name for name, source in planned.sources.items() if source == GIVEN_BY_USER]
    return Cell(
        tuple(f"{name} {one.text}" for name, one in planned.ranges.items()), (f"{join(given)} given",) if given else ()
    )


def _range(one: Searched) -> str:
    return f"{one.name} {one.low:.3g} to {one.high:.3g}"


def _scales(searched: Sequence[Searched]) -> tuple[str, ...]:
    """How many dimensions were searched, and the scale of each."""
    if len(searched) == 1:
        return (f"1 dimension, {SCALES[searched[0].scale]}",)
    return (f"{len(searched)} dimensions", *(f"{one.name} {SCALES[one.scale]}" for one in searched))


def _chosen(one: Searched) -> str:
    return f"{one.name} {MISSING if one.chosen is None else f'{one.chosen:.3g}'}"


def _place(row: TuningRow) -> tuple[str, ...]:
    """Where the chosen learning rate stands; an edge is named as one."""
    if row.lr_place is None:
        return ()
    place, count = row.lr_place
    return (f"{row.edge} of {count}" if row.edge else f"rate {place} of {count}",)


def _value(value: float | None, scale: Scale) -> str:
    return MISSING if value is None else scale.value(value)


def _stacked(text: str) -> Cell:
    value, _, bounds = text.partition(" [")
    return Cell((value,), (f"[{bounds}",) if bounds else ())
