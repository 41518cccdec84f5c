"""`surefoot try`: whether every optimizer works on a task, before anything is trained."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from surefoot.cli.compare import Json


def try_out(
    study: Annotated[
        str, typer.Argument(help="Which study (`surefoot list`), or your own task: FILE.py:NAME.")
    ] = "article",
    optimizer: Annotated[
        list[str] | None, typer.Option("--optimizer", "-o", help="Try this one: -o adam; may be given again.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Examples in a training step.")] = None,
    schedule: Annotated[
        str | None, typer.Option(help="Learning-rate schedule of all: constant, cosine or warmup-cosine.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Optimizers at a time; default: one a core.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Json = False,
) -> None:
    """Build, step, evaluate, save and load each optimizer on the task's model, and say what does not work.

    Example: surefoot try article -o torch.optim.NAdam
    """
    from surefoot.study import try_out as tried

    found = tried(study, optimizers=optimizer, batch_size=batch_size, schedule=schedule, workers=workers, device=device)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        for label, reason in found.items():
            typer.echo(f"{label}: {f'does not work: {reason}' if reason else 'works'}")
    if any(found.values()):
        raise typer.Exit(1)
