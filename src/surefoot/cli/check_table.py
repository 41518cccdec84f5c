"""How a calibration is printed: three tables that fit 80 columns, each under the question that it answers."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from surefoot.selfcheck.calibration import Calibration, FalseVerdicts, TrueFindings
from surefoot.selfcheck.winners_curse import RATES, Practice
from surefoot.statistics.intervals import Interval
from surefoot.statistics.permutation import FEWEST_PAIRS
from surefoot.statistics.proportions import Proportion
from surefoot.words import plain
from surefoot.words.numbers import minus

HOLDS = {True: "holds", False: "fails"}
KEPT = {True: "kept", False: "broken"}


def print_json(result: Calibration) -> None:
    """Print a calibration as one JSON object; every row says whether it `holds`."""
    rows = {
        name: [{**plain(row), "holds": row.holds} for row in getattr(result, name)]
        for name in ("false_verdicts", "power", "practices")
    }
    content = {"studies": result.studies, "seed": result.seed, "holds": result.holds, **rows}
    print(json.dumps(content, ensure_ascii=False), flush=True)


def print_result(result: Calibration) -> None:
    """Print a calibration for people."""
    console = Console(highlight=False, markup=False, emoji=False)

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
    drawn = _columns("Scores", "Optimizers", "Seeds", "Called better", "99 % interval", "")
    for row in rows:
        mark = HOLDS[row.holds] if row.seeds >= FEWEST_PAIRS else "untested"
        drawn.add_row(row.world, _arms(row), str(row.seeds), _percent(row.rate.value), _range(row.rate), mark)
    return drawn


def _arms(row: FalseVerdicts) -> str:
    return f"{row.arms // 2} + {row.arms // 2} tuned" if row.tuned else str(row.arms)


def _power(rows: Iterable[TrueFindings]) -> Table:
    drawn = _columns("Better by", "Optimizers", "Seeds", "Promised", "Found", "99 % interval", "")
    for row in rows:
        promised = f"{'at least ' if row.arms > 2 else ''}{100 * row.promised:.0f} %"
        cells = (f"{100 * row.difference:.2f} pp", str(row.arms), str(row.seeds), promised)
        drawn.add_row(*cells, _percent(row.found.value), _range(row.found), KEPT[row.holds])
    return drawn


def _practices(rows: Iterable[Practice]) -> Table:
    drawn = _columns("Measured on", "Gain seen (pp), 99 %", "Called better", "")
    for row in rows:
        drawn.add_row(row.name, _gain(row.gain), _percent(row.called.value), HOLDS[row.holds])
    return drawn


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


def _columns(first: str, *others: str) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    drawn.add_column(first, no_wrap=True)
    for name in others:
        drawn.add_column(name, justify="right" if name else "left", no_wrap=True)
    return drawn
