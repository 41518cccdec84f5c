"""How a command ends: the result in print, then the report.

The tutorial's two lines for each optimizer come first, then the table, the verdict, and where the files are.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from surefoot.analysis import ResultRow, Summary
from surefoot.cli.tables import print_table
from surefoot.report import write_report
from surefoot.store.protocol import Metric
from surefoot.store.ranges import Search
from surefoot.words import as_json, notes, table, tuning_table, tuning_warnings, verdict_text, warnings
from surefoot.words.notes import PRINTED_CAPTION


def conclude(summary: Summary, store: Path, report: Path, *, as_object: bool) -> None:
    """Print the result of a study, for people or as JSON, and write its report."""
    if as_object:
        print_json(summary, store, report)
    else:
        print_result(summary)
    write_report(summary, report)
    if not as_object:
        print_places(store, report)


def print_json(summary: Summary, store: Path, report: Path) -> None:
    """Print the summary as one JSON object, with each search as planned and the paths of the store and the report."""
    planned = {row.defaults: _planned_json(row.planned) for row in summary.tuning if row.defaults and row.planned}
    further = {"planned": planned, "store": str(store), "report": str(report)}
    print(json.dumps({**as_json(summary), **further}, ensure_ascii=False), flush=True)


def _planned_json(search: Search) -> dict[str, Any]:
    """Return a search as it was planned: how many configurations, each range as people read it, and its source."""
    texts = {name: one.text for name, one in search.ranges.items()}
    return {"trials": len(search.configurations), "ranges": texts, "sources": dict(search.sources)}


def print_result(summary: Summary) -> None:
    """Print the summary for people, at the width of their terminal."""
    console = console_for_people()
    for row in summary.rows:
        for line in _lines(row, summary.metric):
            console.print(line, soft_wrap=True)
    print_table(console, table(summary))
    if tuning := tuning_table(summary):
        console.print("\nTuning", style="bold", end="")
        print_table(console, tuning)
        console.print(PRINTED_CAPTION.format(metric=summary.metric.title), style="dim")
        for text in tuning_warnings(summary):
            console.print(text)
    console.print()
    for text in (verdict_text(summary), *warnings(summary), *notes(summary)):
        console.print(text)


def print_places(store: Path, report: Path) -> None:
    """Print where the report and the results are."""
    console_for_people().print(f"\nReport: {report}\nResults: {store}", soft_wrap=True)


def console_for_people() -> Console:
    """Make a console that prints names as they are."""
    return Console(highlight=False, markup=False, emoji=False)


def _lines(row: ResultRow, metric: Metric) -> list[str]:
    """Return the tutorial's own two lines, one where the loss is the metric; the mean, where there are many seeds."""
    if row.test_loss is None or row.test_metric is None:
        return [f"No test result using {row.label}: {'; '.join(row.reasons) or 'unfinished'}"]
    mean = f" (mean of {row.n} seeds)" if row.n > 1 else ""
    figures = [("loss", row.test_loss.mean), (metric.title, row.test_metric.mean)]
    return [
        f"Test {name} using {row.label}: {value:.6f}{mean}" for name, value in figures[: 1 if metric.is_loss else 2]
    ]
