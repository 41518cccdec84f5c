"""`surefoot judge`: the verdict on scores that were made anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.options import Json, MarginFlag
from surefoot.cli.result import conclude_scores, conclude_suite
from surefoot.errors import UsageError
from surefoot.scores import judge_any
from surefoot.store.protocol import Better
from surefoot.suite import Suite


def judge(
    scores: Annotated[Path, typer.Argument(help="A CSV file of scores, or a folder from TensorBoard.")],
    better: Annotated[Better, typer.Option(help="Whether a higher score is better, or a lower one.")] = "max",
    metric: Annotated[str, typer.Option(help="Name of the scores.")] = "score",
    share: Annotated[
        bool, typer.Option("--share", help="Scores are shares from 0 to 1; show them in per cent.")
    ] = False,
    margin: MarginFlag = None,
    chance: Annotated[
        float | None, typer.Option(help="Score of guessing; a seed that diverged counts as this.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Your name of a column, may be given again: --column score=val_acc.")
    ] = None,
    runs: Annotated[
        str | None, typer.Option(help="Pattern of run names, such as {optimizer}_{seed}; default: ADAM-seed3.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Also write the report to this page.")] = None,
    as_json: Json = False,
) -> None:
    """Say which optimizer is best, which are tied, and how sure that is, from a table of scores.

    The columns are optimizer, seed and score; task, test_loss, epochs_to_target and chance may follow. A column seed
    and one for each optimizer works too, and so do exports of W&B. Verdicts are noted beside the file, in
    FILE.looks.json, because seeds that are added later are another look.

    Example: surefoot judge scores.csv --metric accuracy --share
    """
    given = {"better": better, "metric": metric, "share": share, "margin": margin, "chance": chance, "runs": runs}
    found = judge_any(scores, columns=dict(map(_pair, column or ())), **given)
    if isinstance(found, Suite):
        conclude_suite(found, report.parent if report else None, as_object=as_json)
    else:
        conclude_scores(found, report, as_object=as_json)


def _pair(text: str) -> tuple[str, str]:
    """Return the two sides of PART=COLUMN."""
    part, equals, name = text.partition("=")
    if not equals:
        raise UsageError(f"--column is {text!r}; expected PART=COLUMN, such as score=val_acc.")
    return part.strip(), name.strip()
