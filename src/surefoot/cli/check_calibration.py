"""`surefoot check --calibration`: how often the verdict is wrong in simulated studies, and what it finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from surefoot.analysis import group
from surefoot.analysis.scale import UNKNOWN_TEST_SIZE
from surefoot.cli.printing import grid, print_json, with_clock
from surefoot.progress.console import console_for_people
from surefoot.selfcheck.calibration import Calibration, FalseVerdicts, TrueFindings, calibrate
from surefoot.selfcheck.joined import FalseClaims
from surefoot.selfcheck.margins import MARGIN, FalseMargins, Race
from surefoot.selfcheck.planned_looks import FalseLooks, TrueLooks
from surefoot.selfcheck.practices import RATES, Practice
from surefoot.selfcheck.seed_models import SeedModel, stored
from surefoot.statistics.intervals import Interval
from surefoot.statistics.permutation import FEWEST_PAIRS
from surefoot.statistics.proportions import Proportion
from surefoot.store import Store
from surefoot.store.looks import LookPlan
from surefoot.words.as_json import plain
from surefoot.words.numbers import minus

HOLDS = {True: "holds", False: "fails"}
KEPT = {True: "kept", False: "broken"}


def check_calibration(*, studies: int, seed: int, store: Path | None, as_json: bool) -> bool:
    """Simulate and print. Return whether every promise holds.

    Args:
        studies: simulated studies for each row.
        seed: seed of the simulation.
        store: results store whose seeds are resampled too.
        as_json: print one JSON object.
    """
    world = _stored(store) if store else None
    result = calibrate(studies=studies, seed=seed, stored=world, observe=with_clock())
    if as_json:
        print_json(result_json(result))
    else:
        print_result(result)
    return result.holds


def _stored(store: Path) -> SeedModel:
    """Return the newest run of every study in the store, as a world of scores."""
    with Store(store, readonly=True) as results:
        newest = {design.study: design for design in results.designs()}
        runs = [run for design in newest.values() if (run := results.run(design))]
    sizes = [run[0].protocol.test_size or UNKNOWN_TEST_SIZE for run in runs]
    return stored([arm for run in runs for arm in group(run)], min(sizes, default=UNKNOWN_TEST_SIZE))


def result_json(result: Calibration) -> dict[str, Any]:
    """Return a calibration as plain dicts and lists; every row says whether it `holds`."""
    rows = {
        name: [{**plain(row), "holds": row.holds} for row in getattr(result, name)]
        for name in ("false_verdicts", "power", "practices", "false_looks", "true_looks", "margins", "races", "joined")
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
    part(
        "Planned looks, equal optimizers: how often are two called different? At most 5 %.",
        _false_looks(result.false_looks),
    )
    part("Planned looks, one is better: are seeds and findings as a dry run says?", _true_looks(result.true_looks))
    part(
        f"Worse by a margin of {100 * MARGIN:g} points: how often called equal, or not worse? At most 5 %.",
        _margins(result.margins),
    )
    part("Races of three finalists: is the best dropped (at most 10 %), is the winner worse?", _races(result.races))
    part("All of these together: how often is a verdict of each kind false? At most 5 %.", _joined(result.joined))
    part("One optimizer is better, scores are normal: how often is that found?", _power(result.power))
    part(f"{RATES} learning rates, all equally good: what does tuning seem to gain?", _practices(result.practices))
    for text in _notes(result):
        console.print(text)


def _false_verdicts(rows: Iterable[FalseVerdicts]) -> Table:
    def cells(row: FalseVerdicts) -> Sequence[str]:
        mark = HOLDS[row.holds] if row.seeds >= FEWEST_PAIRS else "untested"
        seeds = ", ".join(map(str, row.looks)) or str(row.seeds)
        return row.world, _arms(row.arms, tuned=row.tuned), seeds, _percent(row.rate.value), _range(row.rate), mark

    return grid(("Scores", "Optimizers", "Seeds", "Called better", "99 % interval", ""), map(cells, rows))


def _arms(arms: int, *, tuned: bool) -> str:
    return f"{arms // 2} + {arms // 2} tuned" if tuned else str(arms)


def _power(rows: Iterable[TrueFindings]) -> Table:
    def cells(row: TrueFindings) -> Sequence[str]:
        promised = f"{'at least ' if row.arms > 2 else ''}{100 * row.promised:.0f} %"
        found = (_percent(row.found.value), _range(row.found), KEPT[row.holds])
        return f"{100 * row.difference:.2f} pp", str(row.arms), str(row.seeds), promised, *found

    return grid(("Better by", "Optimizers", "Seeds", "Promised", "Found", "99 % interval", ""), map(cells, rows))


def _false_looks(rows: Iterable[FalseLooks]) -> Table:
    def cells(row: FalseLooks) -> Sequence[str]:
        arms = f"{row.arms - 1} + 1 worse" if row.worse else str(row.arms)
        return row.world, arms, *_plan(row.plan), _percent(row.rate.value), _range(row.rate), HOLDS[row.holds]

    return grid(("Scores", "Arms", "Looks", "Spending", "Asked", "Apart", "99 %", ""), map(cells, rows))


def _true_looks(rows: Iterable[TrueLooks]) -> Table:
    def cells(row: TrueLooks) -> Sequence[str]:
        seeds, found = f"{row.promised.seeds:.1f}, {row.seeds.mean:.1f}", _percent(row.found.value)
        promised = f"{100 * row.promised.power:.1f}, {found}"
        return f"{row.promised.effect:g} SD", str(row.arms), *_plan(row.plan), seeds, promised, KEPT[row.holds]

    head = ("Better", "Arms", "Looks", "Spending", "Asked", "Seeds: dry run, seen", "Found: dry run, seen", "")
    return grid(head, map(cells, rows))


def _margins(rows: Iterable[FalseMargins]) -> Table:
    def cells(row: FalseMargins) -> Sequence[str]:
        rates = (_percent(row.equal.value), _percent(row.not_worse.value))
        return row.world, str(row.arms), ", ".join(map(str, row.looks)), *rates, HOLDS[row.holds]

    return grid(("Scores", "Optimizers", "Seeds", "Called equal", "Not worse", ""), map(cells, rows))


def _races(rows: Iterable[Race]) -> Table:
    def cells(row: Race) -> Sequence[str]:
        gaps = ", ".join(f"{gap:g}" for gap in row.gaps)
        found = (_percent(row.dropped.value), f"{row.loss.mean:+.3f} SD", f"{100 * row.saved:.0f} %")
        return str(row.seeds), gaps, *found, HOLDS[row.holds]

    return grid(("Tuning seeds", "Behind, SD", "Best dropped", "Winner worse", "Saved", ""), map(cells, rows))


def _joined(rows: Iterable[FalseClaims]) -> Table:
    def cells(row: FalseClaims) -> Sequence[str]:
        design = row.design
        arms = _arms(len(design.images), tuned=design.tuned)
        at, spending, question = _plan(design.plan)
        looks = f"{at}, then {design.plan.most + design.late}" if design.late else at
        near = [_percent(rate.value) if design.margin else "–" for rate in (row.equal, row.not_worse)]
        return design.world.name, arms, looks, spending, question, _percent(row.apart.value), *near, HOLDS[row.holds]

    head = ("Scores", "Arms", "Looks", "Spending", "Asked", "Apart", "Equal", "Not worse", "")
    return grid(head, map(cells, rows))


def _plan(plan: LookPlan) -> tuple[str, str, str]:
    spending = {"obrien-fleming": "OBF"}.get(plan.spending, plan.spending)
    return " ".join(map(str, plan.at)), spending, plan.question.kind


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
    yield "Several numbers of seeds: looked at each time; a row counts the studies in which any look found something."
    yield (
        "Planned looks: a study stops at the look that decides its question, and what is behind gets no more seeds. "
        "OBF is O'Brien and Fleming. With more than two optimizers, at least as much is found as the dry run says, "
        "with at most as many seeds."
    )
    yield (
        f"With fewer than {FEWEST_PAIRS} seeds nothing is tested: they cannot show whether scores gather at two levels."
    )
    yield ("Every promise holds." if result.holds else "A promise does not hold: see the rows that say so.")


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _range(proportion: Proportion) -> str:
    return f"{100 * proportion.low:.1f}–{100 * proportion.high:.1f}"
