"""`surefoot check --parity`: every rule on every front-end against the rule in float64, beside the frameworks' own."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer

from surefoot.cli.parity_table import findings, long, notes, short, to_markdown
from surefoot.cli.printing import console_for_people, print_json, with_clock
from surefoot.cli.printing import grid as draw
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
    result = run(observe=with_clock())
    if markdown:
        markdown.write_text(to_markdown(result, f"surefoot check --parity --markdown {markdown}"), encoding="utf-8")
    if as_json:
        print_json(result_json(result))
    else:
        print_result(result, every_row=every_row)
    if markdown:
        typer.echo(f"Written: {markdown}", err=True)
    return result.holds


def result_json(result: ParityResult) -> dict[str, Any]:
    """Return a result as plain dicts and lists; each entry says whether ours `holds`."""
    return {
        "holds": result.holds,
        "bound": BOUND,
        "versions": result.versions,
        "missing": result.missing,
        "rows": [{**asdict(row), "holds": row.holds} for row in result.rows],
        "findings": [{**asdict(finding), "holds": finding.holds} for finding in result.findings],
    }


def print_result(result: ParityResult, *, every_row: bool) -> None:
    """Print a result for people."""
    console = console_for_people()
    for grid in (long(result) if every_row else short(result), findings(result)):
        if grid.rows:
            console.print(grid.title, style="bold")
            heads = [head.replace(" ", "\n", 1) for head in grid.heads]
            console.print(draw(heads, grid.rows, left=grid.left, padding=(0, 1, 0, 0), no_wrap=False), "")
    for text in notes(result):
        console.print(text)
