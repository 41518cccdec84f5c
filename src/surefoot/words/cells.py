"""Cells, columns and tables. A cell keeps its number, bounds and unit until it is printed.

A column is one entry in a list. The terminal, the page, Markdown, LaTeX, JSON and notebooks are all made from that
list, and so is the sentence below the page's table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Generic, Literal, TypeVar

from surefoot.analysis import Summary
from surefoot.statistics.intervals import Interval, PairedDifference
from surefoot.statistics.suites import Aggregate
from surefoot.words.numbers import MISSING, PLAIN, Unit

WIDTH = 100
"""The most characters in a line of a printed table."""


@dataclass(frozen=True)
class Cell:
    """A number with its bounds, if it has any, and their unit. `note` follows in parentheses."""

    value: float | None
    unit: Unit = PLAIN
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The text of the cell."""
        return (MISSING if self.value is None else self.unit(self.value),)

    @property
    def below(self) -> tuple[str, ...]:
        """The small print below the text."""
        shown = [] if self.low is None or self.high is None else [self.unit.bounds(self.low, self.high)]
        small = " ".join([*shown, *([f"({self.note})"] if self.note else [])])
        return (small,) if small else ()

    def __str__(self) -> str:
        return " ".join((*self.lines, *self.below))

    def to_json(self) -> Any:
        """Return the numbers as they are stored, with their unit: seconds even where milliseconds are printed."""
        return {"value": self.value, "low": self.low, "high": self.high, "unit": self.unit.stored, "note": self.note}


@dataclass(frozen=True)
class Text:
    """Words, line by line, and the small print below them on the page."""

    lines: tuple[str, ...]
    below: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join((*self.lines, *self.below))

    def to_json(self) -> Any:
        """Return the words as they are printed."""
        return str(self)


AnyCell = Cell | Text


def text(words: str, *below: str) -> Text:
    """Return a cell of one line."""
    return Text((words,), below)


def lines(words: Iterable[str], below: Iterable[str] = ()) -> Text:
    """Return a cell with a line for each of the words, or with a dash."""
    return Text(tuple(words) or (MISSING,), tuple(below))


def of(interval: Interval | PairedDifference | Aggregate | None, unit: Unit, note: str = "") -> Cell:
    """Return the cell of a mean with its interval. Without one, the cell is empty."""
    return Cell(None, unit) if interval is None else Cell(interval.mean, unit, interval.low, interval.high, note)


Row = TypeVar("Row")
Where = Literal["print", "page"]


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column of a table.

    Args:
        name: heading, which may depend on the study.
        cell: function that makes the cell of a row.
        caption: sentence about it below the page's table.
        where: the only place that shows it; None for everywhere.
        shown: whether it says something in this study.
        style: class of its cells on the page.
    """

    name: str | Callable[[Summary], str]
    cell: Callable[[Row, Summary], AnyCell]
    caption: str | Callable[[Summary], str] = ""
    where: Where | None = None
    shown: Callable[[Summary], bool] = lambda _: True
    style: str | Callable[[Summary], str] = ""


@dataclass(frozen=True)
class Table:
    """Headings and rows of cells. The first column names the row, as the user wrote it.

    `captions` explain columns. `styles` are the page's classes, one for each column. No two headings are the same, as
    JSON has the cells by them.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[AnyCell, ...], ...]
    captions: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.header)) < len(self.header):
            raise ValueError(f"two columns have one heading: {self.header}")

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """The rows as they are printed."""
        return tuple(tuple(map(str, row)) for row in self.rows)

    def parts(self, width: int) -> list[tuple[tuple[str, ...], ...]]:
        """Return heading and printed rows in parts, none wider than this many characters.

        Every part begins with the first column. A wider column has a part for itself. Cells may have several lines.
        """
        first, *rest = zip(self.header, *self.texts, strict=True)
        found = [[first]]
        for column in rest:
            if len(found[-1]) > 1 and _width([*found[-1], column]) > width:
                found.append([first])
            found[-1].append(column)
        return [tuple(zip(*part, strict=True)) for part in found]

    def __str__(self) -> str:
        """Return the table as text, in parts of at most `WIDTH` characters."""
        return "\n\n".join("\n".join(_lines(part)) for part in self.parts(WIDTH))

    def _repr_html_(self) -> str:
        """Return the table for notebooks."""
        head = "".join(f'<th scope="col">{_html(name)}</th>' for name in self.header)
        body = "".join(
            f'<tr><th scope="row">{_html(first)}</th>{"".join(f"<td>{_html(cell)}</td>" for cell in rest)}</tr>'
            for first, *rest in self.texts
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_json(self) -> list[dict[str, Any]]:
        """Return an object for each row: its cells by their headings."""
        return [{name: cell.to_json() for name, cell in zip(self.header, row, strict=True)} for row in self.rows]


def tabulate(columns: Sequence[Column[Row]], rows: Sequence[Row], summary: Summary, where: Where = "print") -> Table:
    """Return the table of these rows, with the columns that this study and this place show."""
    shown = [one for one in columns if one.where in (None, where) and one.shown(summary)]
    captions = (_said(one.caption, summary) for one in shown)
    return Table(
        tuple(_said(one.name, summary) for one in shown),
        tuple(tuple(one.cell(row, summary) for one in shown) for row in rows),
        tuple(dict.fromkeys(filter(None, captions))),
        tuple(_said(one.style, summary) for one in shown),
    )


def plain_table(header: Sequence[str], rows: Iterable[Sequence[AnyCell | str]], *captions: str) -> Table:
    """Return a table whose columns are always shown. A string becomes a cell."""
    made = (tuple(text(cell) if isinstance(cell, str) else cell for cell in row) for row in rows)
    return Table(tuple(header), tuple(made), captions)


def _said(words: str | Callable[[Summary], str], summary: Summary) -> str:
    return words if isinstance(words, str) else words(summary)


def _html(cell: str) -> str:
    return escape(cell).replace("\n", "<br>")


def _width(columns: Sequence[Sequence[str]]) -> int:
    widths = (max(len(line) for cell in column for line in cell.split("\n")) for column in columns)
    return sum(widths) + 2 * (len(columns) - 1)


def _lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table: the first column flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join([first.ljust(widths[0]), *map(str.rjust, rest, widths[1:])]) for first, *rest in rows]
