"""`surefoot report`: writes the report of stored results again, and figures and tables on request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from surefoot.analysis import summarize
from surefoot.cli.options import RESULTS, Json, MarginFlag, takes
from surefoot.cli.result import conclude
from surefoot.report import write_csv, write_figures, write_latex, write_markdown
from surefoot.store.margin import read_margin
from surefoot.study import newest_run


@takes("store")
def report(
    study: Annotated[str, typer.Argument(help="Which study.")] = "article",
    report: Annotated[Path, typer.Option(help="Where the report goes.")] = RESULTS / "report.html",
    figures: Annotated[Path | None, typer.Option(help="Also write each figure as SVG and PNG to this folder.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write every epoch of every trial to this CSV file.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write verdict and tables to this Markdown file.")] = None,
    latex: Annotated[Path | None, typer.Option(help="Also write the tables to this LaTeX file (booktabs).")] = None,
    margin: MarginFlag = None,
    as_json: Json = False,
    **given: Any,
) -> None:
    """Write the report of the newest run of a study from the store; nothing is trained.

    Example: surefoot report article --figures figures --csv epochs.csv --latex tables.tex
    """
    store = Path(given["store"])
    design, records = newest_run(study, store)
    summary = summarize(records, design, read_margin(margin, design.protocol.metric))
    if figures:
        write_figures(summary, figures)
    if csv:
        write_csv(records, csv)
    if markdown:
        write_markdown(summary, markdown)
    if latex:
        write_latex(summary, latex)
    conclude(summary, store, report, as_object=as_json)
