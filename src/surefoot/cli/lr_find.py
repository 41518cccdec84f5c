"""`surefoot lr-find`: a learning-rate range test on several seeds, and where to centre the search."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from surefoot.arms.arm import Arm
from surefoot.cli.options import RESULTS, Json, Study, options, refuse_function, takes
from surefoot.cli.printing import print_json
from surefoot.comparison.ask import ask
from surefoot.files import check_writable
from surefoot.range_test.find import range_test
from surefoot.range_test.sweep import OWN_STEPS
from surefoot.training.process import tune_worker


@takes("optimizers", "batch_size", "dataset", "data_dir", "device")
def lr_find(
    study: Study = "article",
    seeds: Annotated[int, typer.Option(help="Number of runs of each optimizer, 3 or more.")] = 5,
    steps: Annotated[int, typer.Option(help="Training steps of a run, 100 or more.")] = 200,
    report: Annotated[Path, typer.Option(help="File for the report.")] = RESULTS / "lr-find.html",
    as_json: Json = False,
    **given: Any,
) -> None:
    """Show at which learning rates the loss falls and where it diverges: a range to search.

    Example: surefoot lr-find article -o adam -o "sgd(momentum=0.9)"
    """
    asked = options({**given, "optimizers": given["optimizers"] or ["adam"]})
    refuse_function(study, OWN_STEPS)
    request = ask(study, asked)
    check_writable(report)
    tune_worker()
    found = range_test(request, seeds=seeds, steps=steps, heard=partial(_tell, steps))
    found.page(report)
    if as_json:
        print_json({**found.to_json(), "report": str(report)})
    else:
        typer.echo(f"{found.text()}\n\nReport: {report}")


def _tell(steps: int, arm: Arm, seed: int, losses: Sequence[float]) -> None:
    end = f"diverged after {len(losses)} of {steps} steps" if len(losses) < steps else f"{steps} steps"
    typer.echo(f"{arm.label}, seed {seed}: {end}", err=True)
