"""The result table as text, one row per optimizer: the terminal and the page show the same cells.

Columns that say nothing in this study are left out: time to a target when there is none, how the trials ended when
all have finished, gaps when all are zero because a task has no examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from surefoot.analysis.intervals import Interval
from surefoot.analysis.scale import Scale
from surefoot.analysis.summary import Row, Summary
from surefoot.analysis.tuning import Searched, TuningRow
from surefoot.analysis.wording import (
    MISSING,
    duration,
    loss,
    memory,
    milliseconds,
    p_value,
    signed_loss,
    with_bounds,
)

WIDTH = 100
"""Columns of a terminal or a notebook that a printed table may take."""


@dataclass(frozen=True)
class Table:
    """Column headings and rows of text; the first column is the optimizer's label, as the user wrote it."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def parts(self, width: int) -> list[Table]:
        """The table as one, or as several that all begin with the first column, none wider than so many characters.

        Cells may have several lines. A column that is wider than that has a part for itself.
        """
        first, *rest = [[name, *(row[i] for row in self.rows)] for i, name in enumerate(self.header)]
        found = [[first]]
        for column in rest:
            if len(found[-1]) > 1 and _width([*found[-1], column]) > width:
                found.append([first])
            found[-1].append(column)
        return [Table(tuple(c[0] for c in part), tuple(zip(*(c[1:] for c in part), strict=True))) for part in found]

    def __str__(self) -> str:
        """The table as text, in parts of at most `WIDTH` characters."""
        return "\n\n".join("\n".join(_lines(part)) for part in self.parts(WIDTH))

    def _repr_html_(self) -> str:
        """The table for notebooks."""
        head = "".join(f'<th scope="col">{_html(name)}</th>' for name in self.header)
        body = "".join(
            f'<tr><th scope="row">{_html(first)}</th>{"".join(f"<td>{_html(cell)}</td>" for cell in rest)}</tr>'
            for first, *rest in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html(cell: str) -> str:
    return escape(cell).replace("\n", "<br>")


def _width(columns: Sequence[Sequence[str]]) -> int:
    lines = (max(len(line) for cell in column for line in cell.split("\n")) for column in columns)
    return sum(lines) + 2 * (len(columns) - 1)


def _lines(part: Table) -> list[str]:
    """The lines of a table: the first column to the left, the others to the right."""
    rows = [part.header, *part.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]) for first, *rest in rows]


def table(summary: Summary) -> Table:
    """The result table of a summary."""
    cells = [_cells(row, summary) for row in summary.rows]
    header = tuple(cells[0])
    return Table(header, tuple(tuple(row[name] for name in header) for row in cells))


def _cells(row: Row, summary: Summary) -> dict[str, str]:
    cells = {"Optimizer": row.label}
    if any(other.n < len(other.seeds) or other.n != row.n for other in summary.rows):
        cells["Trials"] = state(row)
    cells |= _result_cells(row, summary.scale) | _gap_cells(row, summary)
    if summary.target is not None:
        cells |= _reach_cells(row, summary.scale.target(summary.target), many=_many(summary))
    cells["Time per step"] = MISSING if row.step_seconds is None else milliseconds(row.step_seconds)
    cells["Training"] = MISSING if row.train_seconds is None else duration(row.train_seconds)
    cells["State memory"] = MISSING if row.optimizer_bytes is None else memory(row.optimizer_bytes)
    return cells


def _result_cells(row: Row, scale: Scale) -> dict[str, str]:
    """Loss and metric on the test data; a task that is judged by its loss has nothing to add to it."""
    metric = {} if scale.metric.is_loss else {f"Test {scale.name}": with_bounds(row.test_metric, scale.value)}
    return {"Test loss": with_bounds(row.test_loss, loss)} | metric


def _gap_cells(row: Row, summary: Summary) -> dict[str, str]:
    """By how much loss and metric are worse in validation than in training."""
    scale, cells = summary.scale, {}
    if not _all_zero([other.loss_gap for other in summary.rows]):
        cells["Loss gap"] = with_bounds(row.loss_gap, signed_loss)
    if not scale.metric.is_loss and not _all_zero([other.metric_gap for other in summary.rows]):
        cells[f"{scale.name.capitalize()} gap"] = with_bounds(row.metric_gap, scale.signed)
    return cells


def _all_zero(gaps: Sequence[Interval | None]) -> bool:
    """Whether there are gaps, all of them zero for every seed."""
    known = [gap for gap in gaps if gap]
    return bool(known) and not any(gap.mean or gap.low or gap.high for gap in known)


def pair_table(summary: Summary) -> Table | None:
    """Test metric minus the best's (`verdict.best`), paired by seed; None when the study has too few seeds."""
    rows = tuple(
        (
            pair.other,
            MISSING
            if pair.difference is None
            else with_bounds(Interval(pair.difference, pair.low, pair.high, pair.n), summary.scale.signed),
            p_value(pair.p),
            str(pair.n),
        )
        for pair in summary.verdict.pairs
    )
    return Table(("Optimizer", "Difference", "Adjusted p", "Seeds"), rows) if rows else None


def tuning_table(summary: Summary) -> Table | None:
    """What tuning tried, chose and gained, a row per tuned optimizer; None where nothing was tuned.

    A cell has a line for each hyperparameter that was searched.
    """
    cells = [_tuning_cells(row, summary) for row in summary.tuning]
    return Table(tuple(cells[0]), tuple(tuple(row.values()) for row in cells)) if cells else None


def _tuning_cells(row: TuningRow, summary: Summary) -> dict[str, str]:
    counts = {"Diverged": row.diverged, "Failed": row.failed, "Unfinished": row.unfinished}
    shown = {name for name in counts if any(getattr(other, name.lower()) for other in summary.tuning)} | {"Diverged"}
    cells = {"Optimizer": row.defaults or row.label, "Trials": str(row.trials)}
    cells |= {name: str(count) for name, count in counts.items() if name in shown}
    cells["Chosen"] = "\n".join(_chosen(one) for one in row.searched) or MISSING
    cells["Tried"] = "\n".join(f"{one.low:.3g}..{one.high:.3g}" for one in row.searched) or MISSING
    if any(other.gain for other in summary.tuning):
        scale = summary.scale
        heading = f"Gain, {scale.unit}" if scale.unit else "Gain"
        cells[heading] = with_bounds(row.gain, lambda value: scale.signed(value).removesuffix(" pp"))
    return cells


def _chosen(one: Searched) -> str:
    return f"{one.name} {MISSING if one.chosen is None else f'{one.chosen:.3g}'}"


def _reach_cells(row: Row, target: str, many: bool) -> dict[str, str]:
    epochs = seconds = MISSING
    if row.reach:
        missed = f"only {row.reach.reached} of {row.reach.of}" if row.reach.reached else "not reached"
        count = f" ({row.reach.reached}/{row.reach.of})" if many else ""
        epochs = missed if row.reach.epochs is None else f"{row.reach.epochs:g}{count}"
        seconds = missed if row.reach.seconds is None else duration(row.reach.seconds)
    return {f"Epochs to {target}": epochs, f"Time to {target}": seconds}


def state(row: Row) -> str:
    """How the trials of a row ended: "10 finished", "8 finished, 2 diverged"."""
    counts = {"finished": row.n, "diverged": row.diverged, "failed": row.failed, "unfinished": row.unfinished}
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _many(summary: Summary) -> bool:
    return any(len(row.seeds) > 1 for row in summary.rows)
