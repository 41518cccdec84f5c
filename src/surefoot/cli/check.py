"""`surefoot check`: what Surefoot promises about itself, put to the test on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.compare import Json

if TYPE_CHECKING:
    from surefoot.analysis.seed_models import SeedModel


def check(
    calibration: Annotated[
        bool, typer.Option("--calibration", help="How often the verdict is wrong, and what it finds, in simulation.")
    ] = False,
    studies: Annotated[int, typer.Option(help="Simulated studies for each row.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of all that is drawn; the same seed gives the same numbers.")] = 0,
    store: Annotated[
        Path | None, typer.Option("--store", help="Also resample the seeds of the optimizers in this store.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate studies whose truth is known, and count what the verdict makes of them. Exit code 1: a promise fails.

    Example: surefoot check --calibration --studies 5000
    """
    from surefoot.errors import UsageError

    if not calibration:
        raise UsageError("name what to check: `surefoot check --calibration`.")
    from surefoot.analysis.calibration import calibrate
    from surefoot.cli.check_table import print_json, print_result

    world = _stored(store) if store else None
    start = time.monotonic()
    result = calibrate(
        studies=studies,
        seed=seed,
        stored=world,
        observe=lambda words: typer.echo(f"[{time.monotonic() - start:4.0f} s] {words}", err=True),
    )
    (print_json if as_json else print_result)(result)
    if not result.holds:
        raise typer.Exit(1)


def _stored(store: Path) -> SeedModel:
    """The newest run of every study in the store, as a world of scores."""
    from surefoot.analysis import group
    from surefoot.analysis.seed_models import stored
    from surefoot.store import Store, newest_run, one_name_each

    with Store(store, readonly=True) as results:
        records = results.records()
    studies = {record.study: [other for other in records if other.study == record.study] for record in records}
    runs = [one_name_each(newest_run(mine, name)) for name, mine in studies.items()]
    sizes = [int(run[0].protocol.get("test_size", 10_000)) for run in runs]
    return stored([arm for run in runs for arm in group(run)], min(sizes, default=10_000))
