"""`surefoot bench`: what a step costs, against other libraries and against the memory itself."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from surefoot.bench.cases import case_names
from surefoot.bench.chart import check_chart, write_chart
from surefoot.bench.line_up import contenders
from surefoot.bench.other_libraries import INSTALL
from surefoot.bench.result import BenchResult, BenchRow, SetResult, milliseconds
from surefoot.bench.run import BenchOptions, plan, run
from surefoot.bench.shapes import SETS
from surefoot.bench.turns import Quartiles
from surefoot.cli import INTERRUPTED
from surefoot.cli.options import Json
from surefoot.cli.printing import grid, print_json, with_clock
from surefoot.files import check_writable
from surefoot.progress.console import console_for_people

LEGEND = (
    "Behind each rule: the bytes that it has to move for a weight. ms: median step; half of the turns lie between the "
    "quartiles. x best: times the fastest of torch.optim (of the others, where torch lacks the rule). GB/s: the rule's "
    "bytes over the median. x floor: times a kernel that moves these bytes and computes nothing. state: bytes kept for "
    "a weight."
)


def bench(
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="Parameter set; --list shows them. Default: cnn and resnet50.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option("--rule", "-r", help="Only this rule: -r adam -r my.py:rule.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each contender; default: torch's.")] = None,
    rounds: Annotated[int, typer.Option(help="Number of timings of each, unless its time is up before.")] = 20,
    dtype: Annotated[str, typer.Option(help="Weights, gradients and state: float32 or bfloat16.")] = "float32",
    compiled: Annotated[bool, typer.Option("--compile", help="Time torch.compile too, which starts slowly.")] = False,
    cold: Annotated[bool, typer.Option("--cold", help="Time first steps in fresh processes too.")] = False,
    busy: Annotated[int, typer.Option(help="Number of busy processes beside which the first set is timed again.")] = 0,
    chart: Annotated[Path | None, typer.Option(help="Also draw a bar chart to this .svg or .png.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="Show the sets, rules and contenders, and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Time one step of each rule on each engine, in turns with torch.optim, pytorch_optimizer and optax.

    The last row of a set moves the same bytes and computes nothing. Ctrl-C shows what was measured until then.

    Example: surefoot bench --set resnet50 -r adam -r adabound --chart steps.png
    """
    if show_list:
        print_list(as_json=as_json)
        return
    chosen = BenchOptions(cases=tuple(rule or ()), threads=threads, rounds=rounds, dtype=dtype, busy=busy)
    planned = plan(replace(chosen, sets=tuple(sets or chosen.sets), compiled=compiled, cold=cold))
    if chart:
        check_chart(chart)  # before minutes are spent on what it is to show
        check_writable(chart)
    result = run(planned, with_clock())
    if as_json:
        print_json(result.to_json())
    else:
        print_result(result)
    if chart and any(entry.rows for entry in result.sets):
        typer.echo(f"Chart: {write_chart(result, chart)}", err=True)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)


def print_result(result: BenchResult) -> None:
    """Print a benchmark for people."""
    console = console_for_people()
    for entry in result.sets:
        if entry.rows:
            console.print(_title(entry, result), style="bold")
            console.print(_table(entry))
            console.print()
    if result.cold:
        console.print("First step in a fresh process, imports not counted (s)", style="bold")
        rows = ((f"{one.case}: {one.contender}", f"{one.empty_cache:.2f}", f"{one.cached:.2f}") for one in result.cold)
        console.print(grid(("", "nothing cached", "cached"), rows, no_wrap=True))
        console.print()
    console.print(LEGEND)
    for note in result.notes:
        console.print(f"- {note}")
    if result.interrupted:
        console.print("Stopped early: this is what was measured until then.")


def print_list(*, as_json: bool) -> None:
    """Print the parameter sets, the cases and the contenders."""
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
    rules = textwrap.indent(textwrap.fill(", ".join(case_names()), 78), "  ")
    typer.echo(f"Rules:\n{rules}\nContenders:")
    for name, presence in contents["contenders"].items():
        typer.echo(f"  {name:<22} {presence}")


def _presence(library: str, available: bool) -> str:
    return "installed" if available else f"not installed: {INSTALL.get(library, f'pip install {library}')}"


def _title(entry: SetResult, result: BenchResult) -> str:
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
    return grid(("", "ms", "quartiles", "x best", "GB/s", "x floor", "state"), lines, no_wrap=True)


def _cells(row: BenchRow) -> Iterable[str]:
    yield f"  {row.contender}"
    yield from _times(row.seconds)
    yield "" if row.x_best is None else _ratio(row.x_best)
    yield f"{row.gigabytes_per_second:.1f}"
    yield _ratio(row.x_floor)
    yield f"{row.state_bytes:.3g}"


def _times(taken: Quartiles) -> Iterable[str]:
    yield milliseconds(taken.median)
    yield f"{milliseconds(taken.low)}-{milliseconds(taken.high)}"


def _ratio(value: float) -> str:
    if value < 0.1:
        return f"{value:.3f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
