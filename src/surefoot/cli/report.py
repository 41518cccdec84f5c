"""`surefoot report`: write the report of stored results again, with figures and tables as files if asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.compare import RESULTS, Json, StorePath


def report(
    study: Annotated[str, typer.Argument(help="Which study.")] = "article",
    store: StorePath = RESULTS / "results.sqlite",
    out: Annotated[Path, typer.Option(help="Where the report goes.")] = RESULTS / "report.html",
    figures: Annotated[Path | None, typer.Option(help="Also write each figure as SVG and PNG to this folder.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write every epoch of every trial to this CSV file.")] = None,
    as_json: Json = False,
) -> None:
    """Write the report of the newest run of a study from the store; nothing is trained.

    Example: surefoot report article --figures figures --csv epochs.csv
    """
    from surefoot.analysis import summarize
    from surefoot.cli.result import print_json, print_result
    from surefoot.report import write_csv, write_figures, write_report
    from surefoot.store import Store, newest_run

    with Store(store, readonly=True) as results:
        records = newest_run(results.records(study), study)
    write_report(records, out)
    if figures:
        write_figures(records, figures)
    if csv:
        write_csv(records, csv)
    summary = summarize(records)
    if as_json:
        print_json(summary, store, out)
    else:
        print_result(summary, store, out)
