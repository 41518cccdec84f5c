"""The summary of several studies as text: a row for each optimizer, and what its columns mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite

from surefoot.analysis.suite_summary import SuiteSummary
from surefoot.analysis.suites import R_MAX, Profile
from surefoot.analysis.table import Table
from surefoot.analysis.wording import MISSING, join, minus

RATIOS = (1.0, 1.5, 2.0, 3.0, R_MAX)
"""Where the table reads the performance profile."""


def suite_table(suite: SuiteSummary) -> Table:
    """The score over all studies, the interquartile mean, and the time to target on each; the best score first."""
    order = sorted(suite.optimizers, key=lambda label: -(suite.algoperf or {}).get(label, 0.0))
    columns = {"Optimizer": order}
    if suite.algoperf is not None:
        columns["Score"] = [f"{suite.algoperf[label]:.3f}" for label in order]
    if suite.aggregates:
        columns["Interquartile mean"] = [_aggregate(suite, label) for label in order]
    columns |= {name: [_time(suite, label, name) for label in order] for name in suite.targets}
    return Table(tuple(columns), tuple(zip(*columns.values(), strict=True)))


def suite_notes(suite: SuiteSummary) -> Iterator[str]:
    """What the columns mean, and which studies take no part in some."""
    if suite.algoperf is not None:
        yield (
            "Score (AlgoPerf's): 1 is to be the quickest to every target, 0 to take four times as long, or never "
            "to get there. Under each study: median epochs to its target."
        )
    if suite.aggregates:
        yield (
            "Interquartile mean: of the share of the way from guessing to the best optimizer's mean, over all seeds of "
            "all studies, with its 95 % bootstrap interval."
        )
    yield from _without(suite)
    if without := [name for name in suite.studies if name not in suite.targets]:
        yield f"No target tells the optimizers apart in {', '.join(without)}."


def _aggregate(suite: SuiteSummary, label: str) -> str:
    found = suite.aggregates.get(label)
    return minus(f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]") if found else MISSING


def _without(suite: SuiteSummary) -> Iterator[str]:
    """Who has no interquartile mean, each reason once."""
    for why in dict.fromkeys(suite.without.values()):
        labels = [label for label, reason in suite.without.items() if reason == why]
        who = "any" if len(labels) == len(suite.optimizers) else join(labels)
        yield f"No interquartile mean of {who}: {why}."


def profile_table(profiles: Mapping[str, Profile]) -> Table:
    """The share of the targets that each reaches within so many times the fastest one's time; the highest first."""
    rows = [(label, *(f"{100 * _share(one, ratio):.0f} %" for ratio in RATIOS)) for label, one in profiles.items()]
    rows.sort(key=lambda row: [-float(cell.removesuffix(" %")) for cell in row[1:]])
    return Table(("Optimizer", *(f"r = {ratio:g}" for ratio in RATIOS)), tuple(rows))


def _share(profile: Profile, ratio: float) -> float:
    """The height of the profile: the share at the last of its steps up to this ratio."""
    return max(share for step, share in zip(profile.ratios, profile.shares, strict=True) if step <= ratio)


def _time(suite: SuiteSummary, label: str, study: str) -> str:
    epochs = suite.times[label].get(study)
    if epochs is None:
        return MISSING
    return f"{epochs:g}" if isfinite(epochs) else "not reached"
