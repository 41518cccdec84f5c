"""`surefoot lr-find`: a learning-rate range test on several seeds, and where to centre the search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.compare import RESULTS, Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from surefoot.arms.arm import Arm


def lr_find(
    study: Annotated[
        str, typer.Argument(help="Which study (`surefoot list`), or your own task: FILE.py:NAME.")
    ] = "article",
    optimizer: Annotated[
        list[str] | None, typer.Option("--optimizer", "-o", help="Whose rate: -o adam; may be given again.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many runs of each optimizer, 3 or more.")] = 5,
    steps: Annotated[int, typer.Option(help="Training steps of a run, 100 or more.")] = 200,
    batch_size: Annotated[int | None, typer.Option(help="Examples in a training step.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Another data set: kmnist or fashion-mnist.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder searched first for data files.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    report: Annotated[Path, typer.Option(help="Where the report goes.")] = RESULTS / "lr-find.html",
    as_json: Json = False,
) -> None:
    """Show at which learning rates the loss falls and where it is lost: a window to search, not "the" rate.

    Example: surefoot lr-find article -o adam -o "sgd(momentum=0.9)"
    """
    from surefoot.comparison.request import Options, ask
    from surefoot.files import check_writable

    options = Options(
        optimizers=tuple(optimizer or ("adam",)),
        only=True,
        batch_size=batch_size,
        dataset=dataset,
        data_dir=data_dir,
        device=device,
    )
    request = ask(study, options)
    check_writable(report)
    from surefoot.range_test.find import lr_find as range_test
    from surefoot.training.process import tune_worker

    tune_worker()
    found = range_test(request, seeds=seeds, steps=steps, heard=_tell)
    found.page(report)
    if as_json:
        typer.echo(json.dumps({**found.as_json(), "report": str(report)}, ensure_ascii=False))
    else:
        typer.echo(f"{found.text()}\n\nReport: {report}")


def _tell(arm: Arm, seed: int, losses: Sequence[float]) -> None:
    typer.echo(f"{arm.label}, seed {seed}: {len(losses)} steps", err=True)
