"""`surefoot bench`: what a step costs, against other libraries and against the memory itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from surefoot.bench.chart import check_chart, write_chart
from surefoot.bench.run import Options, plan, run
from surefoot.cli.bench_table import print_list, print_result
from surefoot.cli.options import Json
from surefoot.cli.printing import print_json, with_clock
from surefoot.files import check_writable


def bench(
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="Parameter set; --list shows them. Default: cnn and resnet50.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option("--rule", "-r", help="Only this rule: -r adam -r my.py:rule.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads of each contender; default: torch's.")] = None,
    rounds: Annotated[int, typer.Option(help="How often each is timed, unless its time is up before.")] = 20,
    dtype: Annotated[str, typer.Option(help="Weights, gradients and state: float32 or bfloat16.")] = "float32",
    compiled: Annotated[bool, typer.Option("--compile", help="Time torch.compile too, which starts slowly.")] = False,
    cold: Annotated[bool, typer.Option("--cold", help="Time first steps in fresh processes too.")] = False,
    busy: Annotated[int, typer.Option(help="Time the first set again beside so many busy processes.")] = 0,
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
    chosen = Options(cases=tuple(rule or ()), threads=threads, rounds=rounds, dtype=dtype, busy=busy)
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
        raise typer.Exit(130)
