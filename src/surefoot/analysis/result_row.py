"""The results of one optimizer over its seeds, as one row of numbers; `words.results` makes it a row of the table.

Scores are means with intervals, times are medians. Failed and unfinished trials are counted, and left out of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from statistics import median
from typing import Any

from surefoot.analysis.pairwise import Scores
from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Setting
from surefoot.analysis.target import Reach
from surefoot.statistics.intervals import Interval, t_interval
from surefoot.statistics.proportions import Proportion, wilson
from surefoot.statistics.survival import Trace, curve_area
from surefoot.store.records import Outcome, Record


@dataclass(frozen=True)
class ResultRow:
    """The results of one optimizer over its seeds; None where no finished trial has a value.

    Attributes:
        n: number of finished trials; means, other than that of `test_metric`, are of these.
        reasons: why other trials diverged or failed.
        test_metric: mean over finished and diverged trials; one that diverged counts as in `pairwise.counted`.
        loss_gap: validation minus training loss at the end, both in evaluation mode; so is `metric_gap`.
        area: mean height of the validation metric's curve over epochs.
        divergence: diverged trials, as a share of the finished and diverged ones.
        step_seconds: median over seeds, as are `train_seconds` and `gradients`.
        optimizer_bytes: state of the optimizer in one trial.
        gradients: how often a step took loss and gradients.
        others: further metrics of the test data, which judge nothing.
    """

    label: str
    rule: str
    convention: str
    hyper: Mapping[str, Any]
    seeds: tuple[int, ...]
    n: int
    diverged: int
    failed: int
    unfinished: int
    reasons: tuple[str, ...]
    test_loss: Interval | None
    test_metric: Interval | None
    loss_gap: Interval | None
    metric_gap: Interval | None
    reach: Reach | None
    area: Interval | None
    divergence: Proportion | None
    step_seconds: float | None
    train_seconds: float | None
    optimizer_bytes: int | None
    parameters: int | None
    gradients: float | None = None
    others: Mapping[str, Interval | None] = field(default_factory=dict)


def result_row(
    arm: Setting, reach: Reach | None, curves: Iterable[Trace], scale: Scale, scores: Mapping[str, Scores]
) -> ResultRow:
    """Return the results of one optimizer.

    Args:
        arm: the setting, with its trials.
        reach: its arrival at the target; None without one.
        curves: traces of its validation metric over epochs.
        scale: scale of the metric.
        scores: test metrics by label and seed, as `pairwise.counted` returns them.
    """
    first, found = arm.trials[0], [*scores[arm.label].values()] if arm.finished else []
    outcomes = [trial.outcome for trial in arm.finished if trial.outcome]
    failed = arm.with_status("failed")
    return ResultRow(
        label=arm.label,
        rule=first.rule,
        convention=first.convention,
        hyper=dict(first.hyper),
        seeds=tuple(trial.seed for trial in arm.trials),
        n=len(arm.finished),
        diverged=len(arm.diverged),
        failed=len(failed),
        unfinished=len(arm.with_status("running")),
        reasons=tuple(dict.fromkeys(trial.reason for trial in arm.diverged + failed if trial.reason)),
        test_loss=t_interval(
            found if scale.metric.is_loss else [one.test_loss for one in outcomes if isfinite(one.test_loss)]
        ),
        test_metric=scale.possible(t_interval(found)),
        loss_gap=_gap(arm, lambda trial, o: trial.epochs[-1].validation_loss - o.train_loss),
        metric_gap=_gap(arm, lambda trial, o: trial.epochs[-1].validation_metric - o.train_metric),
        reach=reach,
        area=scale.possible(curve_area([trace for trace in curves if all(map(isfinite, trace.values))])),
        divergence=wilson(len(arm.diverged), len(arm.judged)) if arm.judged else None,
        step_seconds=_median(outcome.step_seconds for outcome in outcomes),
        train_seconds=_median(trial.epochs[-1].seconds for trial in arm.finished if trial.epochs),
        optimizer_bytes=outcomes[0].optimizer_bytes if outcomes else None,
        parameters=outcomes[0].parameters if outcomes else None,
        gradients=_median(outcome.gradients for outcome in outcomes),
        others={
            name: t_interval([value for one in outcomes if isfinite(value := one.others.get(name, nan))])
            for name in dict.fromkeys(name for outcome in outcomes for name in outcome.others)
        },
    )


def _gap(arm: Setting, difference: Callable[[Record, Outcome], float]) -> Interval | None:
    gaps = [difference(trial, trial.outcome) for trial in arm.finished if trial.epochs and trial.outcome]
    return t_interval([gap for gap in gaps if isfinite(gap)])


def _median(values: Iterable[float]) -> float | None:
    return median(known) if (known := list(values)) else None
