"""Tables in the terminal, as wide as it is."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from surefoot.analysis import Table as Cells


def print_table(console: Console, cells: Cells) -> None:
    """Print a table, in parts below each other where it is wider than the terminal."""
    for part in cells.parts(console.width):
        console.print()
        console.print(_drawn(part))


def _drawn(cells: Cells) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(cells.header):
        drawn.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in cells.rows:
        drawn.add_row(*row)
    return drawn
