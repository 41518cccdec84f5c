"""`surefoot lr-find`: a learning-rate range test on several seeds, and where to centre the search."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli.compare import RESULTS, Json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from surefoot.arms.arm import Arm
    from surefoot.lr_find.window import Finding

WIDTH = 80


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
    from surefoot.lr_find.sweep import learning_rates, range_test
    from surefoot.training.process import tune_worker

    rates = learning_rates(steps)
    tune_worker()
    losses = range_test(request, seeds, rates, _tell)
    _conclude(request.name, request.arms, rates, losses, report, as_json=as_json)


def _tell(arm: Arm, seed: int, losses: Sequence[float]) -> None:
    typer.echo(f"{arm.label}, seed {seed}: {len(losses)} steps", err=True)


def _conclude(
    study: str,
    arms: Sequence[Arm],
    rates: Sequence[float],
    losses: Mapping[str, Mapping[int, Sequence[float]]],
    report: Path,
    *,
    as_json: bool,
) -> None:
    from surefoot.lr_find.page import write_range_page
    from surefoot.lr_find.window import finding
    from surefoot.lr_find.words import what_it_is
    from surefoot.search.space import WIDTH as DECADES

    found = [finding(arm.label, rates, losses[arm.label], DECADES, _own(arm)) for arm in arms]
    count = len(next(iter(losses.values())))
    about = what_it_is(count, len(rates), (rates[0], rates[-1]), DECADES)
    write_range_page(found, report, study, about)
    if as_json:
        _print_json(study, found, report)
    else:
        _print(found, about, report)


def _own(arm: Arm) -> tuple[float, float] | None:
    """Return the window that a search takes without the test, if it would search a learning rate."""
    lr = arm.space(1).ranges.get("lr")
    return (lr.low, lr.high) if lr and lr.kind == "log" else None


def _print(found: Sequence[Finding], about: str, report: Path) -> None:
    from surefoot.lr_find.plot import LEGEND, plot
    from surefoot.lr_find.words import DRAWN, IS_NOT, TO_USE, result

    for one in found:
        typer.echo(f"{one.label}: training loss by learning rate\n{plot(one)}\n")
        typer.echo(fill(f"{one.label}: {result(one)}", WIDTH) + "\n")
    typer.echo(f"{LEGEND}\n")
    for text in (DRAWN, about, IS_NOT, TO_USE):
        typer.echo(fill(text, WIDTH))
    typer.echo(f"\nReport: {report}")


def _print_json(study: str, found: Sequence[Finding], report: Path) -> None:
    import json

    from surefoot.lr_find.window import SMOOTHING
    from surefoot.lr_find.words import IS_NOT, result
    from surefoot.words import plain

    optimizers: list[Any] = [{**plain(one), "text": result(one)} for one in found]
    content = {"study": study, "smoothing_decades": SMOOTHING, "optimizers": optimizers, "note": IS_NOT}
    typer.echo(json.dumps({**content, "report": str(report)}, ensure_ascii=False))
