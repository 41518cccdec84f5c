"""How a benchmark is printed: a table for each set that fits 80 columns, what the columns mean, and who is absent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer
from rich.table import Table

from surefoot.bench.cases import case_names
from surefoot.bench.line_up import contenders
from surefoot.bench.other_peers import INSTALL
from surefoot.bench.result import Cold, Result, Row, SetResult, milliseconds
from surefoot.bench.shapes import SETS
from surefoot.bench.turns import Spread
from surefoot.cli.printing import console_for_people, grid, print_json

LEGEND = (
    "Behind each rule: the bytes that it has to move for a weight. ms: median step; half of the turns lie between the "
    "quartiles. x best: times the fastest of torch.optim (of the others, where torch lacks the rule). GB/s: the rule's "
    "bytes over the median. x floor: times a kernel that moves these bytes and computes nothing. state: bytes kept for "
    "a weight."
)


def print_result(result: Result) -> None:
    """Print a benchmark for people."""
    console = console_for_people()
    for entry in result.sets:
        if entry.rows:
            console.print(_title(entry, result), style="bold")
            console.print(_table(entry))
            console.print()
    if result.cold:
        console.print("First step in a fresh process, imports not counted (s)", style="bold")
        console.print(_cold(result.cold))
        console.print()
    console.print(LEGEND)
    for note in result.notes:
        console.print(f"- {note}")
    if result.interrupted:
        console.print("Stopped early: this is what was measured until then.")


def print_list(*, as_json: bool) -> None:
    """Print the parameter sets, the cases and who is timed in them."""
    everyone = {one.name: one for name in case_names() for one in contenders(name, compiled=True)}
    contents: dict[str, Any] = {
        "sets": SETS,
        "rules": list(case_names()),
        "contenders": {name: _presence(one.library, one.available) for name, one in everyone.items()},
    }
    if as_json:
        print_json(contents)
        return
    typer.echo("Sets:")
    for name, summary in SETS.items():
        typer.echo(f"  {name:<10} {summary}")
    typer.echo(f"Rules:\n  {', '.join(case_names()[:6])},\n  {', '.join(case_names()[6:])}\nContenders:")
    for name, presence in contents["contenders"].items():
        typer.echo(f"  {name:<22} {presence}")


def _presence(library: str, available: bool) -> str:
    return "installed" if available else f"not installed: {INSTALL.get(library, f'pip install {library}')}"


def _title(entry: SetResult, result: Result) -> str:
    threads = f"{result.threads} thread{'s' if result.threads > 1 else ''}"
    return f"{entry.name}: {entry.tensors} tensors, {entry.weights:,} weights, {result.dtype}, {threads}"


def _table(entry: SetResult) -> Table:
    lines: list[Iterable[str]] = []
    for case in dict.fromkeys(row.case for row in entry.rows):
        own = [row for row in entry.rows if row.case == case]
        lines += [[f"{case}, {own[0].bytes_per_weight} bytes"], *map(_cells, own)]
    if entry.floor:
        name, speed = f"floor, {entry.floor.bytes_per_weight} bytes", f"{entry.floor.gigabytes_per_second:.1f}"
        lines.append((name, *_times(entry.floor.seconds), "", speed, "1.00", ""))
    return grid(("", "ms", "quartiles", "x best", "GB/s", "x floor", "state"), lines)


def _cells(row: Row) -> Iterable[str]:
    yield f"  {row.contender}"
    yield from _times(row.seconds)
    yield "" if row.x_best is None else _ratio(row.x_best)
    yield f"{row.gigabytes_per_second:.1f}"
    yield _ratio(row.x_floor)
    yield f"{row.state_bytes:.3g}"


def _times(taken: Spread) -> Iterable[str]:
    yield milliseconds(taken.median)
    yield f"{milliseconds(taken.low)}-{milliseconds(taken.high)}"


def _cold(found: Iterable[Cold]) -> Table:
    rows = ((f"{one.case}: {one.contender}", f"{one.empty_cache:.2f}", f"{one.cached:.2f}") for one in found)
    return grid(("", "nothing cached", "cached"), rows)


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
