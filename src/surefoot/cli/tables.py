"""Tables in the terminal, as wide as it is."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from surefoot.words import Table as Cells


def print_table(console: Console, cells: Cells) -> None:
    """Print a table, in parts below each other where it is wider than the terminal."""
    for header, *rows in cells.parts(console.width):
        console.print()
        console.print(_drawn(header, rows))


def _drawn(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(header):
        drawn.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    return drawn
