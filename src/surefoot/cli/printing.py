"""Output that all commands share: JSON, tables without lines, and messages with a clock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import typer
from rich.align import Align
from rich.table import Table


def print_json(content: Any) -> None:
    """Print one JSON object."""
    print(json.dumps(content, ensure_ascii=False), flush=True)


def grid(
    heads: Sequence[str],
    rows: Iterable[Iterable[str]],
    *,
    left: int = 1,
    padding: tuple[int, ...] | None = (0, 1),
    no_wrap: bool = False,
) -> Table:
    """Draw a table. The first `left` columns and those without a head are flush left, the others right.

    A head of fewer lines than its neighbours stands at the bottom, and a cell at the top.
    """
    shape: dict[str, Any] = {} if padding is None else {"padding": padding}
    drawn = Table(box=None, pad_edge=False, header_style="bold", **shape)
    for index, head in enumerate(heads):
        justify: Any = "left" if index < left or not head else "right"
        bottom = Align(head, justify, vertical="bottom")
        drawn.add_column(bottom, justify=justify, no_wrap=no_wrap, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    return drawn


def with_clock() -> Callable[[str], None]:
    """Return a function that prints a message on standard error after the seconds since now."""
    start = time.monotonic()
    return lambda words: typer.echo(f"[{time.monotonic() - start:4.0f} s] {words}", err=True)
