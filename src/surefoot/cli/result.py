"""The end of a command: it prints the result and writes the report.

The tutorial's two lines for each optimizer come first, then the table, the verdict, and where the files are.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from surefoot.analysis import ResultRow, Summary
from surefoot.analysis.rate_free import Prices, price_of
from surefoot.cli.printing import grid, print_json
from surefoot.progress.console import console_for_people
from surefoot.report import write_report
from surefoot.result import Result
from surefoot.store.protocol import Metric
from surefoot.suite import PAGE, Suite
from surefoot.words import Table, as_json, notes, table, tuning_table, tuning_warnings, verdict_text, warnings
from surefoot.words.notes import PRINTED_CAPTION
from surefoot.words.ranks import TITLE, rank_table
from surefoot.words.rate_free import price_sentence, price_table
from surefoot.words.suite import suite_notes


def conclude(summary: Summary, store: Path, report: Path, *, as_object: bool) -> None:
    """Print the result of a study, for people or as JSON, and write its report."""
    if as_object:
        print_json(as_json(summary) | {"store": str(store), "report": str(report)})
    else:
        print_result(summary)
        if price := price_of(summary):
            _print_price(price)
    write_report(summary, report)
    if not as_object:
        console_for_people().print(f"\nReport: {report}\nResults: {store}", soft_wrap=True)


def conclude_scores(found: Result, report: Path | None, *, as_object: bool) -> None:
    """Print the verdict on scores of other programs, and write its report if asked."""
    if as_object:
        print_json(found.to_json() | ({"report": str(report)} if report else {}))
    else:
        print_result(found.summary)
    if report:
        found.report(report)
        if not as_object:
            console_for_people().print(f"\nReport: {report}", soft_wrap=True)


def conclude_suite(suite: Suite[Result], folder: Path | None, *, as_object: bool) -> None:
    """Print the results of several studies together, and write their reports if asked."""
    if as_object:
        print_json({**suite.to_json(), **({"reports": str(folder)} if folder else {})})
    else:
        _print_suite(suite)
    if folder:
        suite.report(folder)
    if folder and not as_object:
        places = f"\nReports: {folder}/<study>.html\nAll together: {folder / PAGE}"
        console_for_people().print(places, soft_wrap=True)


def _print_suite(suite: Suite[Result]) -> None:
    console = console_for_people()
    for name, verdict in suite.verdicts.items():
        console.print(f"\n{name}", style="bold")
        console.print(verdict)
    console.print("\nAll together", style="bold", end="")
    print_table(console, suite.table())
    for note in suite_notes(suite.summary):
        console.print(note)


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
    if ranks := rank_table(summary):
        console.print(f"\n{TITLE}", style="bold", end="")
        print_table(console, ranks)
        for text in ranks.captions:
            console.print(text, style="dim")
    console.print()
    for text in (verdict_text(summary), *warnings(summary), *notes(summary)):
        console.print(text)


def print_table(console: Console, cells: Table) -> None:
    """Print a table, in parts below each other where it is wider than the terminal."""
    for header, *rows in cells.parts(console.width):
        console.print()
        console.print(grid(header, rows, padding=None))


def _print_price(price: Prices) -> None:
    console = console_for_people()
    console.print("\nThe price of not tuning", style="bold", end="")
    print_table(console, price_table(price))
    console.print(price_sentence(price))


def _lines(row: ResultRow, metric: Metric) -> list[str]:
    """Return the tutorial's two lines, or one where the loss is the metric. Many seeds give their mean."""
    if row.test_metric is None:
        return [f"No test result using {row.label}: {'; '.join(row.reasons) or 'unfinished'}"]
    mean = f" (mean of {row.n} seeds)" if row.n > 1 else ""
    figures = {"loss": row.test_loss} if metric.is_loss else {"loss": row.test_loss, metric.title: row.test_metric}
    return [f"Test {name} using {row.label}: {value.mean:.6f}{mean}" for name, value in figures.items() if value]
