"""`surefoot compare --all-small`: every small study, a report for each, and a table and a page over all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import typer

from surefoot.analysis import Summary, summarize
from surefoot.analysis.suite_summary import SuiteSummary, summarize_suite
from surefoot.cli.dry_run import tell
from surefoot.cli.result import console_for_people
from surefoot.cli.run import run
from surefoot.cli.tables import print_table
from surefoot.comparison.request import Options, ask
from surefoot.design.studies import STUDIES
from surefoot.report import write_report
from surefoot.report.suite_page import write_suite_page
from surefoot.words import verdict_text
from surefoot.words.suite import suite_json, suite_notes, suite_table

PAGE = "all-small.html"


def compare_small(options: Options, store: Path, report: Path, *, dry_run: bool, as_json: bool) -> None:
    """Run the small studies one after the other and print what they say together; each is asked for before any runs.

    Args:
        options: for every study alike.
        store: keeps all results.
        report: the reports are written into its folder, each under the name of its study.
        dry_run: only print what each study would run.
        as_json: print JSON.
    """
    requests = {study.name: ask(study.name, options) for study in STUDIES.values() if study.small}
    if dry_run:
        for request in requests.values():
            tell(request.plan(request.wanted), store, as_json=as_json)
        return
    studies: dict[str, Summary] = {}
    failed = False
    for name, request in requests.items():
        ran = run(request, store)
        studies[name], failed = summarize(ran.records, ran.design), failed or ran.failed
        write_report(studies[name], report.parent / f"{name}.html")
    suite = summarize_suite(studies)
    verdicts = {name: verdict_text(summary) for name, summary in studies.items()}
    write_suite_page(suite, verdicts, report.parent / PAGE)
    _print(suite, verdicts, report.parent, as_json=as_json)
    if failed:
        raise typer.Exit(1)


def _print(suite: SuiteSummary, verdicts: Mapping[str, str], folder: Path, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**suite_json(suite), "reports": str(folder)}, ensure_ascii=False), flush=True)
        return
    console = console_for_people()
    for name, verdict in verdicts.items():
        console.print(f"\n{name}", style="bold")
        console.print(verdict)
    console.print("\nAll together", style="bold", end="")
    print_table(console, suite_table(suite))
    for note in suite_notes(suite):
        console.print(note)
    console.print(f"\nReports: {folder}/<study>.html\nAll together: {folder / PAGE}", soft_wrap=True)
