"""Published numbers beside the user's own curves: what others printed for the same task, and where.

Nothing is computed with them. They are drawn and written beside ours, so that a reader sees at a glance whether a study
is in the region of the literature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from surefoot.analysis import Setting
from surefoot.analysis.published import FMNIST_2C2D, QUADRATIC_DEEP, SEEDS
from surefoot.arms.arm_list import parse_arms
from surefoot.design.studies import STUDIES
from surefoot.statistics.intervals import t_interval
from surefoot.store.protocol import Metric, Protocol
from surefoot.words import Table, Written
from surefoot.words.cells import AnyCell, of, plain_table
from surefoot.words.numbers import MISSING

HEADER = ("Published", "Figure", "Epoch", "Published value", "Ours", "Source")

CAPTION = (
    "Drawn with the curves above. Ours is an optimizer of the same rule and options, if the study has one: the mean "
    "over the seeds [95 % interval] at the same epoch. Where we did not test at that epoch, our validation figure "
    "stands in its place, and says so."
)


@dataclass(frozen=True)
class PublishedCurve:
    """Published test metrics of one optimizer; drawn beside our validation, because we test only once.

    Args:
        label: words for the reader, such as "SGD, DeepOBS".
        values: figures by epoch, in the unit of the records (an accuracy is a fraction).
        spread: published standard deviation over seeds, by epoch, where there is one.
        optimizer: label of the arm beside it, whose colour it takes; None for grey.
        source: where it was published.
    """

    label: str
    values: Mapping[int, float]
    spread: Mapping[int, float] = field(default_factory=dict)
    optimizer: str | None = None
    source: str = ""


def published(study: str, arms: Sequence[Setting]) -> tuple[PublishedCurve, ...]:
    """Return what is published of a built-in study's task; nothing where ours are not counted in epochs.

    `surefoot check` repeats it. Ours is the optimizer of the published rule and options, whatever it is called.
    """
    if any(not _is_of(study, arm.trials[0].protocol) for arm in arms):
        return ()
    return tuple(
        PublishedCurve(
            label=f"{label}, DeepOBS",
            values={figure.epoch: figure.mean for figure in figures},
            spread={figure.epoch: figure.deviation for figure in figures if figure.deviation is not None},
            optimizer=next((arm.label for arm in arms if _is_set_so(arm, setting)), None),
            source=f"{setting}, mean of {SEEDS} seeds",
        )
        for known in (QUADRATIC_DEEP, FMNIST_2C2D)
        if known.study == study
        for label, setting in known.optimizers.items()
        if (figures := [f for f in known.figures if f.optimizer == label and f.quantity == "test metric"])
    )


def _is_of(study: str, protocol: Protocol) -> bool:
    """Return whether a protocol trains what a built-in study trains, counted in epochs."""
    known = STUDIES.get(study)
    trained = (protocol.task, protocol.dataset)
    same = known is not None and protocol.is_built_in and trained == (known.task, known.dataset)
    return same and not protocol.evaluate_every


def _is_set_so(arm: Setting, setting: str) -> bool:
    """Return whether an arm has the rule and the options of a published setting, and the study's rate is constant."""
    (theirs,), ours = parse_arms([setting], "torch"), arm.trials[0]
    same = ours.rule == theirs.rule and {**theirs.hyper, **ours.hyper} == theirs.hyper
    return same and ours.protocol.schedule == "constant"


def reference_table(references: Sequence[PublishedCurve], arms: Sequence[Setting], metric: Metric) -> Table | None:
    """Return a row for each published value, with ours at that epoch; None where nothing was published."""
    by_label = {arm.label: arm for arm in arms}
    rows = [row for one in references for row in _rows(one, by_label.get(one.optimizer or ""), metric)]
    return plain_table(HEADER, rows, CAPTION) if rows else None


def _rows(one: PublishedCurve, arm: Setting | None, metric: Metric) -> Iterator[tuple[AnyCell | str, ...]]:
    write = Written(metric).value
    for epoch, value in sorted(one.values.items()):
        spread = one.spread.get(epoch)
        published = write(value) if spread is None else f"{write(value)} ± {write(spread)}"
        name, values = _ours(arm, epoch)
        ours = of(t_interval(values), write, name if values else "")
        yield one.label, f"test {metric.title}", str(epoch), published, ours, one.source or MISSING


def _ours(arm: Setting | None, epoch: int) -> tuple[str, list[float]]:
    """Return our figures at that epoch, after the name of their data if it is no test. A test is only at the end."""
    if arm is None:
        return "", []
    last = [trial.outcome for trial in arm.finished if trial.outcome and trial.epochs[-1:]]
    if last and all(trial.epochs[-1].epoch == epoch for trial in arm.finished if trial.epochs):
        return "", [outcome.test_metric for outcome in last]
    at = [entry.validation_metric for trial in arm.finished for entry in trial.epochs if entry.epoch == epoch]
    return "validation", [value for value in at if isfinite(value)]
