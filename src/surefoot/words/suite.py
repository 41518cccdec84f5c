"""Several studies in words and as a table: a row for each optimizer, and what its columns mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from surefoot.analysis import SuiteSummary
from surefoot.analysis.suite_summary import FEWEST_SEEDS, NoMean
from surefoot.statistics.suites import FEWEST_TASKS, R_MAX, Profile
from surefoot.words.as_json import plain
from surefoot.words.cells import AnyCell, Cell, Table, of, plain_table, text
from surefoot.words.numbers import COUNTED, WHOLE_PERCENT, Unit, join, minus, seeds

RATIOS = (1.0, 1.5, 2.0, 3.0, R_MAX)
"""The ratios at which the table reads the performance profile."""

THOUSANDTHS = Unit(lambda value: minus(f"{value:.3f}"))


def suite_table(suite: SuiteSummary) -> Table:
    """Return scores, interquartile means and times to target, the best score first."""
    scores = suite.algoperf or {}
    order = sorted(suite.optimizers, key=lambda label: -scores.get(label, 0.0))
    columns: dict[str, list[AnyCell]] = {"Optimizer": [text(label) for label in order]}
    if suite.algoperf is not None:
        columns["Score"] = [Cell(scores[label], THOUSANDTHS) for label in order]
    if suite.aggregates:
        columns["Interquartile mean"] = [of(suite.aggregates.get(label), THOUSANDTHS) for label in order]
    for name in suite.targets:
        times = (suite.times[label][name] for label in order)
        heading = name
        while heading in columns:  # a study may be called Score
            heading = f"study {heading}"
        columns[heading] = [Cell(time, COUNTED) if isfinite(time) else text("not reached") for time in times]
    return Table(tuple(columns), tuple(zip(*columns.values(), strict=True)))


def suite_notes(suite: SuiteSummary) -> Iterator[str]:
    """Yield what the columns mean, and which studies are left out of some."""
    if suite.algoperf is not None:
        yield (
            "Score (AlgoPerf's): 1 is the quickest to every target, 0 takes four times as long or never gets there. "
            f"Under each study: median {' or '.join(suite.counted)} to its target."
        )
    if suite.aggregates:
        yield (
            "Interquartile mean: over all seeds of all studies, with its 95 % bootstrap interval. 0 is guessing, 1 the "
            "best optimizer's mean."
        )
    for why in dict.fromkeys(suite.without.values()):
        labels = [label for label, reason in suite.without.items() if reason == why]
        who = "any" if len(labels) == len(suite.optimizers) else join(labels)
        yield f"No interquartile mean of {who}: {reason(why)}."
    if without := [name for name in suite.studies if name not in suite.targets]:
        yield f"No target separates the optimizers in {', '.join(without)}."


def reason(why: NoMean) -> str:
    """Return why there is no interquartile mean, as the end of a sentence."""
    if why.study is None:
        return f"it needs {FEWEST_TASKS} studies"
    if not why.start_known:
        return f"what guessing scores in {why.study} is not known"
    if not why.trials:
        return f"in {why.study} no optimizer improved on the start"
    return f"in {why.study} {why.finished} of its {seeds(why.trials)} finished, and it needs {FEWEST_SEEDS}"


def suite_json(suite: SuiteSummary) -> dict[str, Any]:
    """Return the summary as plain dicts and lists for `json.dumps`. A number that is not finite becomes None."""
    return {**plain(suite), "without": {label: reason(why) for label, why in suite.without.items()}}


def profile_table(profiles: Mapping[str, Profile]) -> Table:
    """Return the share of targets that each reaches in r times the fastest time, the highest first."""
    shares = {
        label: [max(s for step, s in zip(one.ratios, one.shares, strict=True) if step <= ratio) for ratio in RATIOS]
        for label, one in profiles.items()
    }
    order = sorted(shares, key=lambda label: [-share for share in shares[label]])
    rows: list[tuple[AnyCell, ...]] = [
        (text(label), *(Cell(share, WHOLE_PERCENT) for share in shares[label])) for label in order
    ]
    return plain_table(("Optimizer", *(f"r = {ratio:g}" for ratio in RATIOS)), rows)
