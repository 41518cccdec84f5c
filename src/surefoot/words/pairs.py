"""Every optimizer against every other: how far apart, how sure, and how often one beats the other.

A cell of the matrix is the row minus the column. Each pair stands twice, with its sign turned, so that a reader finds
an optimizer's whole case in its row. A word and a colour mark a difference that was found, never the colour alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from surefoot.analysis import Summary
from surefoot.analysis.pairwise import Comparison
from surefoot.words.cells import AnyCell, Cell, Table, of, plain_table, text
from surefoot.words.numbers import MISSING, WHOLE_PERCENT, Written, join, p_value

Standing = Literal["better", "worse", "equal", "not worse", "open", "tie", "not settled"]

TIE = "Not distinguishable:"
"""The words before a group of optimizers that no test separates."""

MATRIX = (
    "Each cell: test {metric} of the row minus that of the column, paired by seed, with its 95 % interval; p; "
    "and the share of seeds on which the row beats the column (ties half). What to see: a cell is marked better or "
    "worse only where p is at most 0.05. All others are ties, or not settled with fewer than 5 seeds. p is adjusted "
    "(Holm) for all pairs of its family: the tuned, the untuned, or each tuned with its own untuned. A dot: not "
    "compared."
)
WITHIN = (
    " Equal: the difference is shown to be within {margin}. Not worse: the row is shown to be worse by no more than "
    "that. Open: neither is shown. A false claim of this kind has a chance of at most 5 % in a family "
    "(paired t-tests, Holm)."
)


def matrix_caption(summary: Summary) -> str:
    """Return the text above the matrix."""
    margin = summary.verdict.margin
    within = WITHIN.format(margin=Written(summary.metric).margin(margin)) if margin else ""
    return MATRIX.format(metric=summary.metric.title) + within


@dataclass(frozen=True)
class Duel:
    """A cell of the matrix: the difference, the adjusted p-value, the share of seeds won, and the standing."""

    difference: Cell
    p: str
    wins: str
    standing: Standing


def matrix(summary: Summary, labels: Sequence[str]) -> list[tuple[str, list[tuple[str, Duel | None]]]]:
    """Return a cell for each two optimizers, row by row; None on the diagonal and where they share no two seeds."""
    written = Written(summary.metric)
    duels = {
        (row.a, row.b): Duel(
            of(row.difference, written.difference), p_value(row.p), WHOLE_PERCENT(row.wins.value), _standing(row)
        )
        for row in _both_ways(summary)
    }
    return [(label, [(other, duels.get((label, other))) for other in labels]) for label in labels]


def compared(summary: Summary) -> list[str]:
    """Return the optimizers that were compared with another: the best group first, then as in the records."""
    pairs = {name for row in summary.comparisons for name in (row.a, row.b)}
    order = dict.fromkeys([*(name for group in summary.groups for name in group), *(row.label for row in summary.rows)])
    return [label for label in order if label in pairs]


def ties_in_words(summary: Summary) -> list[str]:
    """Return a line for each group of optimizers that no test separates, the best first."""
    return [join(group) for group in summary.groups if len(group) > 1]


def among_others(summary: Summary, names: Mapping[str, str]) -> Iterator[str]:
    """Yield who is ahead of whom among the others: the verdict's family of pairs, without the best.

    Args:
        summary: study whose question is every pair.
        names: each label as a sentence says it.
    """
    written, best = Written(summary.metric), summary.verdict.best
    rows = [row for row in summary.comparisons if row.is_main and best not in (row.a, row.b)]
    apart = [row if row.better == row.a else row.turned for row in rows if row.distinguishable]
    ahead: dict[str, list[str]] = {}
    for row in apart:
        ahead.setdefault(names[row.a], []).append(f"{names[row.b]} by {written.size(abs(row.difference.mean))}")
    if ahead:
        yield f"Among the others, {'; '.join(f'{name} is ahead of {join(behind)}' for name, behind in ahead.items())}."
    if level := [f"{names[row.a]} and {names[row.b]}" for row in rows if not row.distinguishable]:
        yield f"Not told apart among them: {'; '.join(level)}."


def standing(label: str, summary: Summary) -> str:
    """Return how an optimizer stands beside the best: "best", a `Standing`, or nothing if they were not compared.

    Where all are compared with one optimizer, that one takes the place of the best and is the "reference".
    """
    against = summary.verdict.against
    best = against or summary.verdict.best
    if label == best:
        return "reference" if against else "best"
    if summary.verdict.basis == "one run":
        return "not settled"
    return next((_standing(row) for row in _both_ways(summary) if (row.a, row.b) == (label, best)), "")


def standings(summary: Summary, labels: Sequence[str]) -> Table:
    """Return how often each optimizer is better, worse, or neither: the matrix in a few numbers a row."""
    both = _both_ways(summary)
    words = list(dict.fromkeys(map(_standing, both)))
    counts = {label: dict.fromkeys(words, 0) for label in labels}
    for row in both:
        counts[row.a][_standing(row)] += 1
    rows: list[list[AnyCell]] = [[text(label), *map(Cell, counts[label].values())] for label in labels]
    return plain_table(("Optimizer", *map(str.capitalize, words)), rows)


def pair_table(summary: Summary) -> Table | None:
    """Return every pair once, as the text of the matrix for a document; None where nothing was compared."""
    rows: list[tuple[str, ...]] = []
    head: tuple[str, ...] = ("A", "B", "A minus B", "95 % interval", "Adjusted p", "A beats B", "Seeds", "Test")
    for row in summary.comparisons:
        cell = of(row.difference, Written(summary.metric).difference)
        apart, won = (cell.lines[0], next(iter(cell.below), MISSING)), WHOLE_PERCENT(row.wins.value)
        rows.append((row.a, row.b, *apart, p_value(row.p), won, str(row.n), row.test or MISSING))
    if summary.verdict.margin:
        head = (*head, "A is")
        rows = [(*cells, _standing(row)) for cells, row in zip(rows, summary.comparisons, strict=True)]
    return plain_table(head, rows) if rows else None


def _both_ways(summary: Summary) -> list[Comparison]:
    return [row for one in summary.comparisons for row in (one, one.turned)]


def _standing(row: Comparison) -> Standing:
    if row.p is None:
        return "not settled"
    if row.distinguishable:
        return "better" if row.better == row.a else "worse"
    if row.closeness is None:
        return "tie"
    return "equal" if row.closeness.equal else "not worse" if row.closeness.a_holds else "open"
