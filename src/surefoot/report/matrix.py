"""Every optimizer against every other: how far apart, how sure, and how often one beats the other.

The row minus the column, so each pair stands twice with its sign turned; the reader finds an optimizer's whole case in
its row. What could be told apart is marked by a word and a colour, never by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from surefoot.analysis import Comparison, Summary, Table
from surefoot.analysis.scale import Scale
from surefoot.analysis.wording import MISSING, join, p_value

Standing = Literal["better", "worse", "tie", "not settled"]


@dataclass(frozen=True)
class Duel:
    """A cell: the difference, its interval, the adjusted p-value, the share of seeds won, and what that makes of it."""

    difference: str
    interval: str
    p: str
    wins: str
    standing: Standing


def matrix(summary: Summary, labels: Sequence[str]) -> list[tuple[str, list[Duel | None]]]:
    """A row for each optimizer with a cell for each; None on the diagonal and where two share no two seeds."""
    known = {(row.a, row.b): row for row in summary.comparisons}
    return [(label, [_duel(label, other, known, summary.scale) for other in labels]) for label in labels]


def compared(summary: Summary) -> list[str]:
    """The optimizers that were compared with at least one other, the best group first, then as in the records."""
    pairs = {name for row in summary.comparisons for name in (row.a, row.b)}
    order = dict.fromkeys([*(name for group in summary.groups for name in group), *(row.label for row in summary.rows)])
    return [label for label in order if label in pairs]


def ties_in_words(summary: Summary) -> list[str]:
    """A line for each group of optimizers of which no two were told apart, the best first; groups of one are none."""
    return [join(group) for group in summary.groups if len(group) > 1]


def pairwise_table(summary: Summary) -> Table | None:
    """Every pair once, as text: what the matrix shows, for a document; None where nothing was compared."""
    scale = summary.scale
    rows = tuple((row.a, row.b, *_texts(row, scale), str(row.n), row.test or MISSING) for row in summary.comparisons)
    head = ("A", "B", "A minus B", "95 % interval", "Adjusted p", "A beats B", "Seeds", "Test")
    return Table(head, rows) if rows else None


def _texts(row: Comparison, scale: Scale) -> tuple[str, str, str, str]:
    gap = row.difference
    shown = (MISSING, MISSING) if gap is None else (scale.signed(gap.mean), _bounds(gap.low, gap.high, scale))
    return *shown, p_value(row.p), f"{100 * row.wins.value:.0f} %"


def _duel(label: str, other: str, known: dict[tuple[str, str], Comparison], scale: Scale) -> Duel | None:
    if (label, other) in known:
        return Duel(*_texts(known[label, other], scale), _standing(label, known[label, other]))
    row = known.get((other, label))
    return None if row is None else Duel(*_texts(_turned(row), scale), _standing(label, row))


def _turned(row: Comparison) -> Comparison:
    """The same pair, seen from the other side."""
    gap, wins = row.difference, row.wins
    other = gap and replace(gap, mean=-gap.mean, low=-gap.high, high=-gap.low)
    return replace(row, a=row.b, b=row.a, difference=other, wins=replace(wins, value=1 - wins.value))


def _standing(label: str, row: Comparison) -> Standing:
    if row.p is None:
        return "not settled"
    if not row.distinguishable:
        return "tie"
    return "better" if row.better == label else "worse"


def _bounds(low: float, high: float, scale: Scale) -> str:
    return f"[{scale.bare(low)}, {scale.bare(high)}]"
