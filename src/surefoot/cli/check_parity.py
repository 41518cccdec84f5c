"""`surefoot check --parity`: every rule on every front-end against the rule in float64, beside the frameworks' own."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from surefoot.cli.parity_table import Grid, findings, long, notes, short, to_markdown
from surefoot.files import check_writable
from surefoot.selfcheck.parity import ParityResult, run
from surefoot.selfcheck.parity.result import BOUND


def check_parity(*, every_row: bool, markdown: Path | None, as_json: bool) -> bool:
    """Measure and print; returns whether everything of ours keeps to its bound.

    Args:
        every_row: print a row for each convention, weight decay and size of gradients, not the largest of each rule.
        markdown: also write all of it to this file, as a page of the documentation.
        as_json: print one JSON object, which has every row.
    """
    if markdown:
        check_writable(markdown)
    start = time.monotonic()
    result = run(observe=lambda words: typer.echo(f"[{time.monotonic() - start:4.0f} s] {words}", err=True))
    if markdown:
        markdown.write_text(to_markdown(result, f"surefoot check --parity --markdown {markdown}"), encoding="utf-8")
    if as_json:
        print_json(result)
    else:
        print_result(result, every_row=every_row)
    if markdown:
        typer.echo(f"Written: {markdown}", err=True)
    return result.holds


def print_json(result: ParityResult) -> None:
    """Print a result as one JSON object; each entry says whether ours `holds`."""
    content = {
        "holds": result.holds,
        "bound": BOUND,
        "versions": result.versions,
        "missing": result.missing,
        "rows": [{**asdict(row), "holds": row.holds} for row in result.rows],
        "findings": [{**asdict(finding), "holds": finding.holds} for finding in result.findings],
    }
    print(json.dumps(content), flush=True)


def print_result(result: ParityResult, *, every_row: bool) -> None:
    """Print a result for people."""
    console = Console(highlight=False, markup=False, emoji=False)
    for grid in (long(result) if every_row else short(result), findings(result)):
        if grid.rows:
            console.print(grid.title, style="bold")
            console.print(_drawn(grid), "")
    for text in notes(result):
        console.print(text)


def _drawn(grid: Grid) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for index, head in enumerate(grid.heads):
        drawn.add_column(
            head.replace(" ", "\n", 1), justify="left" if index < grid.left else "right", vertical="bottom"
        )
    for row in grid.rows:
        drawn.add_row(*row)
    return drawn
