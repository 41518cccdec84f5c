"""How a calibration is printed: three tables that fit 80 columns, each under the question that it answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from surefoot.cli.printing import console_for_people, grid
from surefoot.selfcheck.calibration import Calibration, FalseVerdicts, TrueFindings
from surefoot.selfcheck.winners_curse import RATES, Practice
from surefoot.statistics.intervals import Interval
from surefoot.statistics.permutation import FEWEST_PAIRS
from surefoot.statistics.proportions import Proportion
from surefoot.words.as_json import plain
from surefoot.words.numbers import minus

HOLDS = {True: "holds", False: "fails"}
KEPT = {True: "kept", False: "broken"}


def result_json(result: Calibration) -> dict[str, Any]:
    """Return a calibration as plain dicts and lists; every row says whether it `holds`."""
    rows = {
        name: [{**plain(row), "holds": row.holds} for row in getattr(result, name)]
        for name in ("false_verdicts", "power", "practices")
    }
    return {"studies": result.studies, "seed": result.seed, "holds": result.holds, **rows}


def print_result(result: Calibration) -> None:
    """Print a calibration for people."""
    console = console_for_people()

    def part(title: str, table: Table) -> None:
        console.print(title, style="bold")
        console.print(table, "")

    part(
        "Equal optimizers: how often is one called better? At most 5 % is promised.",
        _false_verdicts(result.false_verdicts),
    )
    part("One optimizer is better, scores are normal: how often is that found?", _power(result.power))
    part(f"{RATES} learning rates, all equally good: what does tuning seem to gain?", _practices(result.practices))
    for text in _notes(result):
        console.print(text)


def _false_verdicts(rows: Iterable[FalseVerdicts]) -> Table:
    def cells(row: FalseVerdicts) -> Sequence[str]:
        mark = HOLDS[row.holds] if row.seeds >= FEWEST_PAIRS else "untested"
        return row.world, _arms(row), str(row.seeds), _percent(row.rate.value), _range(row.rate), mark

    return grid(("Scores", "Optimizers", "Seeds", "Called better", "99 % interval", ""), map(cells, rows))


def _arms(row: FalseVerdicts) -> str:
    return f"{row.arms // 2} + {row.arms // 2} tuned" if row.tuned else str(row.arms)


def _power(rows: Iterable[TrueFindings]) -> Table:
    def cells(row: TrueFindings) -> Sequence[str]:
        promised = f"{'at least ' if row.arms > 2 else ''}{100 * row.promised:.0f} %"
        found = (_percent(row.found.value), _range(row.found), KEPT[row.holds])
        return f"{100 * row.difference:.2f} pp", str(row.arms), str(row.seeds), promised, *found

    return grid(("Better by", "Optimizers", "Seeds", "Promised", "Found", "99 % interval", ""), map(cells, rows))


def _practices(rows: Iterable[Practice]) -> Table:
    cells = ((row.name, _gain(row.gain), _percent(row.called.value), HOLDS[row.holds]) for row in rows)
    return grid(("Measured on", "Gain seen (pp), 99 %", "Called better", ""), cells)


def _gain(gain: Interval) -> str:
    mean, low, high = (minus(f"{100 * (value or 0):+.2f}") for value in (gain.mean, gain.low, gain.high))
    return f"{mean} [{low}, {high}]"


def _notes(result: Calibration) -> Iterable[str]:
    yield (
        f"{result.studies:,} simulated studies a row, seed {result.seed}, each judged as `surefoot compare` judges. "
        "A row fails if its interval excludes the promise, as one sound row in a hundred does."
    )
    yield (
        "The gain is tuned minus untuned test accuracy, in truth 0. Where one seed measures, the higher score is "
        "called better, as papers do."
    )
    if any(row.tuned for row in result.false_verdicts):
        yield (
            "With tuned optimizers, 5 % is promised for each of three families: among the tuned, among the untuned, "
            "and of each tuned with its own untuned. Shown is the family in which most are called better."
        )
    yield (
        f"With fewer than {FEWEST_PAIRS} seeds nothing is tested: they cannot show whether scores gather at two levels."
    )
    yield ("Every promise holds." if result.holds else "A promise does not hold: see the rows that say so.")


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _range(proportion: Proportion) -> str:
    return f"{100 * proportion.low:.1f}–{100 * proportion.high:.1f}"
