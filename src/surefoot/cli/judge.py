"""`surefoot judge`: the verdict on scores that were made anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.options import Json, MarginFlag
from surefoot.cli.result import conclude_scores
from surefoot.scores import judge as judged
from surefoot.store.protocol import Better


def judge(
    scores: Annotated[Path, typer.Argument(help="A CSV file with the columns optimizer, seed and score.")],
    better: Annotated[Better, typer.Option(help="Whether a higher score is better, or a lower one.")] = "max",
    metric: Annotated[str, typer.Option(help="Name of the scores.")] = "score",
    share: Annotated[bool, typer.Option("--share", help="Scores are shares from 0 to 1, written in per cent.")] = False,
    margin: MarginFlag = None,
    chance: Annotated[float | None, typer.Option(help="What guessing scores: a seed counts so that diverged.")] = None,
    report: Annotated[Path | None, typer.Option(help="Also write the report to this page.")] = None,
    as_json: Json = False,
) -> None:
    """Say which optimizer is best, which are tied, and how sure that is, from a table of scores.

    A column seed and one for each optimizer will do as well. Verdicts are noted beside the file, in FILE.looks.json, as
    seeds that are added later are another look.

    Example: surefoot judge scores.csv --metric accuracy --share
    """
    made = judged(scores, better=better, metric=metric, share=share, margin=margin, chance=chance)
    conclude_scores(made, report, as_object=as_json)
