"""The summary: everything that the terminal, the page and `--json` say about a study, computed once.

A row per optimizer, the target, the verdict and the notes that keep it honest. Frozen, JSON-able, and free of
text for people except the verdict and the notes; `analysis.table` writes the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median
from typing import Any

from surefoot.analysis.arms import Arm, group
from surefoot.analysis.intervals import Interval, t_interval
from surefoot.analysis.plain import plain
from surefoot.analysis.target import Reach, choose_target, reach
from surefoot.analysis.tuning import TuningRow, tunings
from surefoot.analysis.tuning_words import how_tuned
from surefoot.analysis.verdict import Verdict, judge
from surefoot.errors import UsageError
from surefoot.store.records import Outcome, Record


@dataclass(frozen=True)
class Row:
    """One optimizer over its seeds. What no finished trial measured is None.

    `n` counts finished trials, the ones in the means; `reasons` tells why others diverged or failed. The gaps are
    validation minus training, both in evaluation mode at the end. `step_seconds` and `train_seconds` are medians
    over seeds, `optimizer_bytes` the state of one trial.
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
    step_seconds: float | None
    train_seconds: float | None
    optimizer_bytes: int | None
    parameters: int | None


@dataclass(frozen=True)
class Summary:
    """A study in numbers: rows in the order of the records, the target (a validation accuracy), verdict and notes.

    `tuning` has a row for each optimizer that was tuned.
    """

    study: str
    protocol: Mapping[str, Any]
    rows: tuple[Row, ...]
    target: float | None
    verdict: Verdict
    notes: tuple[str, ...]
    tuning: tuple[TuningRow, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The summary as plain dicts and lists for `json.dumps`; a number that is not finite becomes None."""
        return {**plain(self), "verdict": {**plain(self.verdict), "text": self.verdict.text}}


def summarize(records: Sequence[Record]) -> Summary:
    """The summary of the trials of one study.

    Raises UsageError when there are no records, or when they cannot be compared (see `arms.group`).
    """
    if not records:
        raise UsageError("there are no trials to summarize. Run `surefoot compare` first, or name another study.")
    arms = group(records)
    target = choose_target(arms)
    first = records[0]
    tuning = tunings(records)
    return Summary(
        study=first.study,
        protocol=dict(first.protocol),
        rows=tuple(_row(arm, target) for arm in arms),
        target=target,
        verdict=judge(arms, int(first.protocol.get("test_size", 10_000))),
        notes=tuple(_notes(records, arms, tuning, target)),
        tuning=tuning,
    )


def _row(arm: Arm, target: float | None) -> Row:
    first = arm.trials[0]
    outcomes = [trial.outcome for trial in arm.finished if trial.outcome]
    failed = arm.with_status("failed")
    return Row(
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
        test_loss=t_interval([outcome.test_loss for outcome in outcomes]),
        test_metric=t_interval([outcome.test_metric for outcome in outcomes]),
        loss_gap=_gap(arm, lambda trial, o: trial.epochs[-1].validation_loss - o.train_loss),
        metric_gap=_gap(arm, lambda trial, o: trial.epochs[-1].validation_metric - o.train_metric),
        reach=None if target is None else reach(arm, target),
        step_seconds=_median(outcome.step_seconds for outcome in outcomes),
        train_seconds=_median(trial.epochs[-1].seconds for trial in arm.finished if trial.epochs),
        optimizer_bytes=outcomes[0].optimizer_bytes if outcomes else None,
        parameters=outcomes[0].parameters if outcomes else None,
    )


def _gap(arm: Arm, difference: Callable[[Record, Outcome], float]) -> Interval | None:
    gaps = [difference(trial, trial.outcome) for trial in arm.finished if trial.epochs and trial.outcome]
    return t_interval([gap for gap in gaps if isfinite(gap)])


def _median(values: Iterable[float]) -> float | None:
    return median(known) if (known := list(values)) else None


def _notes(
    records: Sequence[Record], arms: Sequence[Arm], tuning: Sequence[TuningRow], target: float | None
) -> Iterable[str]:
    if tuning:
        yield how_tuned(tuning)
    elif records[0].study == "article":
        yield "Each optimizer at one untuned learning rate, as in the tutorial: this compares settings, not optimizers."
    if any(len(arm.finished) >= 2 for arm in arms):
        yield (
            "Brackets are 95 % t intervals over seeds, each for itself. Differences are paired by seed; p-values are "
            "adjusted for all pairs (Holm), and only an adjusted p of at most 0.05 counts as a difference."
        )
    if target is None:
        yield "No target accuracy tells these trials apart, so time to target is not shown."
    if len({record.convention for record in records}) > 1:
        yield "The optimizers follow more than one convention; see their settings."
    if len({str(record.protocol.get("device")) for record in records}) > 1:
        yield "The trials ran on more than one device: their times do not compare."
