"""`surefoot check`: what Surefoot promises about itself, put to the test on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.compare import Json
from surefoot.errors import UsageError

if TYPE_CHECKING:
    from surefoot.selfcheck.seed_models import SeedModel


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
        from surefoot.cli.check_parity import check_parity

        holds = check_parity(every_row=long, markdown=markdown, as_json=as_json)
    else:
        from surefoot.cli.check_published import check_published

        holds = check_published(long=long, seeds=seeds, data_dir=data_dir, as_json=as_json)
    if not holds:
        raise typer.Exit(1)


def _calibrate(studies: int, seed: int, store: Path | None, *, as_json: bool) -> bool:
    """Simulate, print the result, and return whether every promise holds."""
    from surefoot.cli.check_table import print_json, print_result
    from surefoot.selfcheck.calibration import calibrate

    world = _stored(store) if store else None
    start = time.monotonic()
    result = calibrate(
        studies=studies,
        seed=seed,
        stored=world,
        observe=lambda words: typer.echo(f"[{time.monotonic() - start:4.0f} s] {words}", err=True),
    )
    (print_json if as_json else print_result)(result)
    return result.holds


def _stored(store: Path) -> SeedModel:
    """The newest run of every study in the store, as a world of scores."""
    from surefoot.analysis import group
    from surefoot.analysis.scale import UNKNOWN_TEST_SIZE, scale_of
    from surefoot.selfcheck.seed_models import stored
    from surefoot.store import Store

    with Store(store, readonly=True) as results:
        newest = {design.study: design for design in results.designs()}
        runs = [run for design in newest.values() if (run := results.run(design))]
    sizes = [scale_of(run[0].protocol).test_size for run in runs]
    return stored([one for run in runs for one in group(run)], min(sizes, default=UNKNOWN_TEST_SIZE))
