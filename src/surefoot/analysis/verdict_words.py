"""The sentences of a verdict that rest on no test: one run, nothing to compare, trials that did not finish."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from surefoot.analysis.arms import Arm
from surefoot.analysis.scale import Scale
from surefoot.analysis.wording import join, seeds


def one_run_limit(yardstick: float | None, scale: Scale) -> str:
    """What one run cannot tell; `yardstick` is the sampling noise, if the metric has one."""
    if yardstick is None:
        return "One run cannot settle anything: how much of a difference is the seed's shows only with several seeds."
    return (
        f"One seed cannot separate close rows: the sampling noise of {scale.test_size:,} test examples alone is "
        f"{scale.size(yardstick)}, and the seed adds its own."
    )


def one_run_order(
    best: str, score: float, gaps: dict[str, float], groups: tuple[Sequence[str], ...], scale: Scale
) -> str:
    """The best and its score, and the `gaps` of the others, which are tied, open and behind in `groups`."""

    def named(labels: Sequence[str]) -> str:
        return join([f"{label} ({scale.signed(gaps[label])})" for label in labels])

    ties, rest, behind = groups
    clauses = [f"{best} has the {scale.superlative} test {scale.name} in this one run ({scale.value(score)})"]
    if ties:
        clauses.append(f"{named(ties)} {_are(ties)} not separated from it")
    if rest and scale.metric.share:
        clauses.append(f"{named(rest)} {_are(rest)} {_beside(scale)} it by too little for one run to settle")
    elif rest:
        clauses.append(f"{named(rest)} {'follows' if len(rest) == 1 else 'follow'}")
    if behind:
        clauses.append(f"{named(behind)} {_are(behind)} behind in this one run")
    return "; ".join(clauses) + "."


def _beside(scale: Scale) -> str:
    return "below" if scale.sign > 0 else "above"


def nothing_to_compare(able: Sequence[Arm], scale: Scale) -> tuple[str, ...]:
    """Why there is no verdict on one arm or none."""
    if not able:
        return ("No trial has finished: there is no verdict.",)
    scores = list(able[0].metrics().values())
    result = f"test {scale.name} {scale.value(fmean(scores))}, {seeds(len(scores))}"
    return (f"Only {able[0].label} has finished ({result}): there is nothing to compare it with.",)


def casualties(arms: Sequence[Arm]) -> list[str]:
    """One sentence for each way in which trials did not finish."""
    ways = {
        "diverged": [(arm, len(arm.diverged)) for arm in arms],
        "failed": [(arm, len(arm.with_status("failed"))) for arm in arms],
        "unfinished and left out": [(arm, len(arm.with_status("running"))) for arm in arms],
    }
    named = {way: [_counted(arm, count) for arm, count in counts if count] for way, counts in ways.items()}
    return [f"{way.capitalize()}: {join(labels)}." for way, labels in named.items() if labels]


def _counted(arm: Arm, count: int) -> str:
    return arm.label if len(arm.trials) == 1 else f"{arm.label} ({count} of {seeds(len(arm.trials))})"


def _are(labels: Sequence[str]) -> str:
    return "is" if len(labels) == 1 else "are"
