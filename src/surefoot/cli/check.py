"""`surefoot check`: what Surefoot promises about itself, put to the test on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.analysis import group
from surefoot.cli.check_parity import check_parity
from surefoot.cli.check_published import check_published
from surefoot.cli.check_table import print_result, result_json
from surefoot.cli.options import Json
from surefoot.cli.printing import print_json, with_clock
from surefoot.errors import UsageError
from surefoot.selfcheck.calibration import calibrate
from surefoot.selfcheck.seed_models import SeedModel, stored
from surefoot.store import Store


def check(
    calibration: Annotated[
        bool, typer.Option("--calibration", help="How often the verdict is wrong, and what it finds, in simulation.")
    ] = False,
    parity: Annotated[
        bool, typer.Option("--parity", help="Every rule in torch, optax and Keras against the rule in float64.")
    ] = False,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="With --parity: also write all rows to this file.")
    ] = None,
    studies: Annotated[int, typer.Option(help="Simulated studies for each row of the calibration.")] = 5000,
    seed: Annotated[int, typer.Option(help="Of all that the calibration draws; the same gives the same numbers.")] = 0,
    store: Annotated[
        Path | None, typer.Option("--store", help="Also resample the seeds of the optimizers in this store.")
    ] = None,
    long: Annotated[
        bool,
        typer.Option("--long", help="With --parity: every row. Else: Fashion-MNIST too, minutes a run."),
    ] = False,
    seeds: Annotated[int, typer.Option(help="With --long: how many runs of each optimizer, from 2.")] = 3,
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
        holds = _calibrate(studies, seed, store, as_json=as_json)
    elif parity:
        holds = check_parity(every_row=long, markdown=markdown, as_json=as_json)
    else:
        holds = check_published(long=long, seeds=seeds, data_dir=data_dir, as_json=as_json)
    if not holds:
        raise typer.Exit(1)


def _calibrate(studies: int, seed: int, store: Path | None, *, as_json: bool) -> bool:
    """Simulate, print the result, and return whether every promise holds."""
    world = _stored(store) if store else None
    result = calibrate(studies=studies, seed=seed, stored=world, observe=with_clock())
    if as_json:
        print_json(result_json(result))
    else:
        print_result(result)
    return result.holds


def _stored(store: Path) -> SeedModel:
    """The newest run of every study in the store, as a world of scores."""
    with Store(store, readonly=True) as results:
        newest = {design.study: design for design in results.designs()}
        runs = [run for design in newest.values() if (run := results.run(design))]
    sizes = [run[0].protocol.test_size or 10_000 for run in runs]
    return stored([arm for run in runs for arm in group(run)], min(sizes, default=10_000))
