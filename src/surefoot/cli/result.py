"""How a command ends: the report, and the result in print.

The tutorial's two lines for each optimizer come first, then the table, the verdict, and where the files are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from surefoot.analysis import Row, Summary, plain, summarize, table, tuning_table, tuning_warnings
from surefoot.analysis.planned_search import planned_searches
from surefoot.cli.tables import print_table
from surefoot.report import write_report
from surefoot.store import Design, Record
from surefoot.store.records import Metric

TUNING = "Tried: range of what was tried. Gain: by how much the tuned one's test {metric} is better, paired by seed."


def conclude(
    records: Sequence[Record],
    store: Path,
    report: Path,
    *,
    as_json: bool,
    design: Design | None = None,
) -> None:
    """Write the report of some records and print their result, for people or as JSON.

    `design` is what was decided before.
    """
    write_report(records, report, design=design)
    summary = summarize(records)
    if as_json:
        print_json(summary, store, report, design)
    else:
        print_result(summary, store, report, design)


def print_json(summary: Summary, store: Path, report: Path, design: Design | None = None) -> None:
    """Print the summary as one JSON object, with each search as planned and the paths of the store and the report."""
    further = {"planned": plain(planned_searches(design)), "store": str(store), "report": str(report)}
    print(json.dumps({**summary.to_json(), **further}, ensure_ascii=False), flush=True)


def print_result(summary: Summary, store: Path, report: Path, design: Design | None = None) -> None:
    """Print the summary for people, at the width of their terminal."""
    console = Console(highlight=False, markup=False, emoji=False)
    for row in summary.rows:
        for line in _lines(row, summary.metric):
            console.print(line, soft_wrap=True)
    print_table(console, table(summary))
    if tuning := tuning_table(summary):
        console.print("\nTuning", style="bold", end="")
        print_table(console, tuning)
        console.print(TUNING.format(metric=summary.metric.title), style="dim")
        for text in tuning_warnings(summary.tuning, planned_searches(design)):
            console.print(text)
    console.print()
    for text in (summary.verdict.text, *summary.warnings, *summary.notes):
        console.print(text)
    console.print(f"\nReport: {report}\nResults: {store}", soft_wrap=True)


def _lines(row: Row, metric: Metric) -> list[str]:
    """Return the tutorial's own two lines, one where the loss is the metric; the mean, where there are many seeds."""
    if row.test_loss is None or row.test_metric is None:
        return [f"No test result using {row.label}: {'; '.join(row.reasons) or 'unfinished'}"]
    mean = f" (mean of {row.n} seeds)" if row.n > 1 else ""
    figures = [("loss", row.test_loss.mean), (metric.title, row.test_metric.mean)]
    return [
        f"Test {name} using {row.label}: {value:.6f}{mean}" for name, value in figures[: 1 if metric.is_loss else 2]
    ]
