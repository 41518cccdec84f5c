"""`surefoot check`: tests what Surefoot promises about itself on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.check_calibration import check_calibration
from surefoot.cli.check_parity import check_parity
from surefoot.cli.check_published import check_published
from surefoot.cli.options import Json
from surefoot.errors import UsageError


def check(
    calibration: Annotated[
        bool, typer.Option("--calibration", help="Simulate how often the verdict is wrong, and what it finds.")
    ] = False,
    parity: Annotated[
        bool, typer.Option("--parity", help="Run every rule in torch, optax and Keras against float64.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="With --parity: also write all rows to this file.")
    ] = None,
    studies: Annotated[int, typer.Option(help="Simulated studies for each row of the calibration.")] = 5000,
    seed: Annotated[int, typer.Option(help="Seed of the simulation; the same seed gives the same numbers.")] = 0,
    store: Annotated[
        Path | None, typer.Option("--store", help="Also resample the seeds of the optimizers in this store.")
    ] = None,
    long: Annotated[
        bool,
        typer.Option("--long", help="With --parity: every row. Else: Fashion-MNIST too, minutes a run."),
    ] = False,
    seeds: Annotated[int, typer.Option(help="Number of runs of each optimizer with --long, 2 or more.")] = 3,
    data_dir: Annotated[Path | None, typer.Option(help="Folder searched first for Fashion-MNIST.")] = None,
    as_json: Json = False,
) -> None:
    """Repeat published runs and compare; with --calibration, simulate studies whose truth is known and count what the
    verdict makes of them; with --parity, run every rule in every framework. Exit code 1: a promise fails.

    Example: surefoot check --calibration --studies 5000
    """
    if parity and calibration:
        raise UsageError("--parity and --calibration are two checks; give each in a command of its own.")
    if markdown and not parity:
        raise UsageError("--markdown writes the tables of --parity; give both.")
    if calibration and long:
        raise UsageError("--calibration repeats no runs; give --long in a command of its own.")
    if calibration:
        holds = check_calibration(studies=studies, seed=seed, store=store, as_json=as_json)
    elif parity:
        holds = check_parity(every_row=long, markdown=markdown, as_json=as_json)
    else:
        holds = check_published(long=long, seeds=seeds, data_dir=data_dir, as_json=as_json)
    if not holds:
        raise typer.Exit(1)
