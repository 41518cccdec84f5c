"""`surefoot check` beside published figures: repeats the runs and marks each figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from surefoot.analysis.published import FMNIST_2C2D, INITIAL_LOSS, QUADRATIC_DEEP, SEEDS, Publication
from surefoot.cli.printing import grid, print_json, with_clock
from surefoot.design.trial import Trial
from surefoot.errors import Argument, UsageError
from surefoot.progress.console import console_for_people
from surefoot.selfcheck.published import (
    LEVEL,
    Agreement,
    agreements,
    initial_loss,
    published_task,
    reproduction,
    run_apart,
)
from surefoot.selfcheck.quickstart import quickstart
from surefoot.selfcheck.statements import Statement, statements
from surefoot.training.events import Diverged, Event, Failed, Finished
from surefoot.words.as_json import plain
from surefoot.words.numbers import minus

AGREES = {True: "agrees", False: "DIFFERS"}

Result = tuple[Publication, tuple[Agreement, ...]]


def check_published(*, long: bool, seeds: int, data_dir: Path | None, as_json: bool) -> bool:
    """Repeat the published runs and print ours beside them. Return whether all agree.

    Args:
        long: repeat fmnist-2c2d and PyTorch's quickstart too.
        seeds: runs of each optimizer of these, from 2.
        data_dir: folder that is searched for Fashion-MNIST first.
        as_json: print one JSON object.
    """
    if seeds < 2:
        raise UsageError(
            Argument("seeds"), f" is {seeds}; give at least 2: one run has no spread to judge a difference by."
        )
    start = initial_loss(published_task("quadratic-deep"))
    results = [_repeat(QUADRATIC_DEEP, SEEDS, data_dir)]
    if long:
        results.append(_repeat(FMNIST_2C2D, seeds, data_dir))
    stated = [*statements()]
    if long:
        stated.append(quickstart(seeds, data_dir, with_clock()))
    agree = _starts_equal(start) and all(row.holds for _, rows in results for row in rows)
    holds = agree and all(one.holds for one in stated)
    (_print_json if as_json else _print_result)(start, results, stated, holds)
    return holds


def _repeat(reference: Publication, seeds: int, data_dir: Path | None) -> Result:
    plan = reproduction(reference.study, reference.optimizers, seeds=seeds, epochs=reference.epochs, data_dir=data_dir)
    tell, ended = with_clock(), 0

    def observe(trial: Trial, event: Event) -> None:
        nonlocal ended
        if isinstance(event, Finished | Diverged | Failed):
            ended += 1
            tell(f"{reference.study}: {ended} of {len(plan.trials)} runs ({trial.arm.label}, seed {trial.seed})")

    return reference, agreements(reference, run_apart(plan, observe))


def _starts_equal(loss: float) -> bool:
    return f"{loss:.3f}" == f"{INITIAL_LOSS:.3f}"


def _print_json(start: float, results: Sequence[Result], stated: Sequence[Statement], holds: bool) -> None:
    figures: list[dict[str, Any]] = [
        {"study": reference.study, **plain(row), "difference": row.difference, "holds": row.holds}
        for reference, rows in results
        for row in rows
    ]
    initial = {"published": INITIAL_LOSS, "ours": start, "holds": _starts_equal(start)}
    said = [
        {**plain(one), "holds": one.holds, "figures": [{**plain(row), "holds": row.holds} for row in one.figures]}
        for one in stated
    ]
    print_json({"holds": holds, "initial_loss": initial, "figures": figures, "statements": said})


def _print_result(start: float, results: Sequence[Result], stated: Sequence[Statement], holds: bool) -> None:
    console = console_for_people()
    for reference, rows in results:
        console.print(f"{reference.study}: {SEEDS} published runs, {rows[0].n} of ours", style="bold")
        if reference is QUADRATIC_DEEP:
            console.print(f"Loss before the first step: published {INITIAL_LOSS}, ours {start:.3f}, ", end="")
            console.print("equal." if _starts_equal(start) else "NOT EQUAL.")
        console.print(_table(reference, rows), "")
    for one in stated:
        console.print(one.title, style="bold")
        cells = ((row.name, row.published, f"{row.ours:.4f}", AGREES[row.holds]) for row in one.figures)
        console.print(grid(("Figure", "Published", "Ours", ""), cells, padding=(0, 1, 0, 0), no_wrap=True))
        console.print(f"Setting: {one.setting}.\nSource: {one.source}.\n", style="dim")
    for text in _notes(holds):
        console.print(text)


def _table(reference: Publication, rows: Sequence[Agreement]) -> Table:
    def cells(row: Agreement) -> Sequence[str]:
        figure, digits = row.figure, reference.digits
        return (
            figure.optimizer,
            _quantity(reference, row),
            str(figure.epoch),
            _value(figure.mean, figure.deviation, digits),
            _value(row.mean, row.deviation, digits),
            minus(f"{row.difference:+.{digits}f}"),
            AGREES[row.holds],
        )

    heads = ("Optimizer", "Figure", "Epoch", "Published", "Ours", "Difference", "")
    return grid(heads, map(cells, rows), left=2, padding=(0, 1, 0, 0), no_wrap=True)


def _quantity(reference: Publication, row: Agreement) -> str:
    metric = "test loss" if reference is QUADRATIC_DEEP else "test accuracy"
    return metric if row.figure.quantity == "test metric" else row.figure.quantity


def _value(mean: float, deviation: float | None, digits: int) -> str:
    return f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")


def _notes(holds: bool) -> Sequence[str]:
    return (
        f"Mean ± standard deviation over seeds. A figure agrees if the means differ by no more than their Welch "
        f"{100 * LEVEL:.0f} % interval allows; a published spread that is not known is taken to be ours.",
        "Published: the raw logs of DeepOBS's baselines (Schneider et al., ICLR 2019). Ours: batches in the same order "
        "every epoch, as theirs were.",
        "Every figure agrees." if holds else "A figure differs: see the rows that say so.",
    )
