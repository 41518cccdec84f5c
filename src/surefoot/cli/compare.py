"""`surefoot compare`: runs what is left of a study, then prints a table and writes a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from surefoot.cli import INTERRUPTED
from surefoot.cli.options import RESULTS, Json, Study, options, takes
from surefoot.cli.printing import print_json
from surefoot.cli.result import conclude, conclude_suite
from surefoot.comparison.ask import ask
from surefoot.comparison.forecast import foretell
from surefoot.comparison.request import Request
from surefoot.design.studies import RATE_FREE
from surefoot.errors import UsageError
from surefoot.files import check_writable
from surefoot.options import Options
from surefoot.rate_free_price import ask_rate_free, laid_over
from surefoot.study import run
from surefoot.suite import Suite, ask_suite


@takes()
def compare(
    study: Study = "article",
    over: Annotated[
        str | None, typer.Argument(help="With rate-free, the task to run it on: a study's, or FILE.py:NAME.")
    ] = None,
    report: Annotated[Path, typer.Option(help="File for the report.")] = RESULTS / "report.html",
    all_small: Annotated[
        bool, typer.Option("--all-small", help="Run every small study and say what they show together.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would run, and how long; train nothing.")
    ] = False,
    as_json: Json = False,
    **given: Any,
) -> None:
    """Train every optimizer of a study and compare them. The same command again goes on where it stopped.

    Example: surefoot compare article -o "sgd(lr=0.1, momentum=0.9)" --seeds 3
    """
    asked = options(given)
    requests = ask_suite(None, asked) if all_small else [_request(study, over, asked, find=not dry_run)]
    if dry_run:
        for found in (foretell(request, asked) for request in requests):
            print_json(found.to_json()) if as_json else print(found)
        return
    check_writable(report)
    try:
        studies = [run(request, asked) for request in requests]
    except KeyboardInterrupt:
        typer.echo("\nStopped. Finished epochs are kept; the same command goes on from there.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    if all_small:
        conclude_suite(Suite({one.plan.name: one for one in studies}), report.parent, as_object=as_json)
    else:
        conclude(studies[0].summary, studies[0].store, report, as_object=as_json)
    if any(record.status == "failed" for one in studies for record in one.records):
        raise typer.Exit(1)


def _request(study: str, over: str | None, asked: Options, *, find: bool) -> Request:
    """Return the checked request. A rate-free study gets the rate of a range test, if that may run."""
    if study != RATE_FREE.name:
        if over is not None:
            raise UsageError(f"{over!r} is one task too many: only {RATE_FREE.name} takes a task beside its name.")
        return ask(study, asked)
    if over is None:
        raise UsageError(f"{RATE_FREE.name} runs on a task: give one too, such as mlp-mnist or my.py:task.")
    if find:
        from surefoot.training.process import tune_worker  # loads torch, which only a range test needs here

        tune_worker()
    return laid_over(ask_rate_free(over, asked), asked, find=find)
