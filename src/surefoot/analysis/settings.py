"""One optimizer setting of a study, with its trials over seeds sorted by how they ended.

Records are grouped by label, as the user named them. This file alone refuses what must not be averaged: one label for
two settings, one seed twice, or trials of two protocols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, nan

from surefoot.errors import UsageError
from surefoot.store.looks import TakenLook
from surefoot.store.records import Record, Status

COMPARABLE = ("task", "dataset", "epochs", "batch_size", "train_size", "validation_size", "test_size")

OPTIONS = ("metric", "schedule", "order", "drop_last", "fingerprint", "recipe", "evaluate_every")
"""Further parts of a protocol that must be the same; it leaves them out at their oldest values."""


@dataclass(frozen=True)
class Setting:
    """The trials of one optimizer setting, ordered by seed."""

    label: str
    trials: tuple[Record, ...]

    @property
    def tuned_from(self) -> str:
        """The label of the setting that tuning began with; empty for an untuned one."""
        return self.trials[0].part.tuned_from if self.trials else ""

    @cached_property
    def finished(self) -> tuple[Record, ...]:
        """The trials that count in means: they ran to the end, with finite test figures."""
        return tuple(trial for trial in self.with_status("finished") if _is_finite(trial))

    @cached_property
    def diverged(self) -> tuple[Record, ...]:
        """The trials that diverged, those included that ended with a loss or metric that is not finite."""
        return tuple(
            t
            for t in self.trials
            if t.status == "diverged" or (t.status == "finished" and t.outcome and not _is_finite(t))
        )

    @cached_property
    def judged(self) -> tuple[Record, ...]:
        """The finished and diverged trials, which say something about the optimizer."""
        return self.finished + self.diverged

    @property
    def ended(self) -> tuple[Record, ...]:
        """The trials that have a result, or failed."""
        return tuple(trial for trial in self.trials if trial.status != "running")

    def with_status(self, status: Status) -> tuple[Record, ...]:
        """Return the trials with this status in the store."""
        return tuple(trial for trial in self.trials if trial.status == status)

    def metrics(self) -> dict[int, float]:
        """Return the test metric of the finished trials by seed."""
        return {trial.seed: trial.outcome.test_metric for trial in self.finished if trial.outcome}

    def results(self) -> dict[int, float]:
        """Return the test metric of the judged trials by seed; NaN where one diverged."""
        found = {**self.metrics(), **{trial.seed: nan for trial in self.diverged}}
        return dict(sorted(found.items()))

    def looked(self) -> dict[int, frozenset[TakenLook]]:
        """Return the earlier verdicts that each seed was part of."""
        return {trial.seed: trial.judged for trial in self.judged}


def group(records: Sequence[Record]) -> tuple[Setting, ...]:
    """Return the measured settings, in the order in which their labels first appear.

    Raises:
        UsageError: two protocols, one label for two settings, or one seed twice.
    """
    _same_protocol(records)
    by_label: dict[str, list[Record]] = {}
    for record in measured(records):
        by_label.setdefault(record.label, []).append(record)
    return tuple(_setting(label, trials) for label, trials in by_label.items())


def measured(records: Sequence[Record]) -> list[Record]:
    """Return the measuring trials: trials that chose a configuration must not judge it too."""
    return [record for record in records if record.purpose == "measure"]


def tuned_from(settings: Sequence[Setting]) -> dict[str, str]:
    """Return the untuned label for each tuned one, where both are among these."""
    labels = {one.label for one in settings}
    return {one.label: one.tuned_from for one in settings if one.tuned_from and one.tuned_from in labels}


def _setting(label: str, trials: list[Record]) -> Setting:
    first, *others = ((trial.rule, trial.convention, dict(trial.hyper)) for trial in trials)
    for other in others:
        if other != first:
            raise UsageError(
                f"the name {label!r} stands for two settings: {first} and {other}. Give each setting a name of its own."
            )
    seeds = [trial.seed for trial in trials]
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"{label!r} has two trials with the same seed (seeds {seeds}). Pass one trial for each seed.")
    return Setting(label, tuple(sorted(trials, key=lambda trial: trial.seed)))


def _same_protocol(records: Sequence[Record]) -> None:
    protocols = {id(record.protocol): record.protocol for record in records}.values()  # trials of a run share one
    for name in COMPARABLE + OPTIONS:
        values = {str(protocol.content.get(name, "the default")) for protocol in protocols}
        if name in COMPARABLE:
            values.discard("the default")  # older stores did not tell
        if len(values) > 1:
            raise UsageError(
                f"these trials cannot be compared: {name} is {' in some and '.join(sorted(values))} in others. "
                "Pass the trials of one protocol."
            )


def _is_finite(trial: Record) -> bool:
    """Return whether the test figures are finite; a training function need not report a loss beside its metric."""
    if trial.outcome is None:
        return False
    told = isfinite(trial.outcome.test_loss) or trial.protocol.own_loop
    return told and isfinite(trial.outcome.test_metric)
