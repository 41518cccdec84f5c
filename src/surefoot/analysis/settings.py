"""One optimizer setting of a study, with its trials over seeds sorted by how they ended.

Records are grouped by label, as the user named them. What must not be averaged is refused here, once: one label for
two settings, one seed twice, or trials of two protocols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, nan

from surefoot.errors import UsageError
from surefoot.store.looks import Look
from surefoot.store.records import Record, Status

COMPARABLE = ("task", "dataset", "epochs", "batch_size", "train_size", "validation_size", "test_size")

OPTIONS = ("metric", "schedule", "order", "drop_last", "fingerprint", "recipe", "evaluate_every")
"""What also must be the same; a protocol leaves it out where it is as it always was."""


@dataclass(frozen=True)
class Setting:
    """The trials of one optimizer setting, ordered by seed."""

    label: str
    trials: tuple[Record, ...]

    @property
    def tuned_from(self) -> str:
        """The label of the optimizer that was tuned into this one; empty for one as it was given."""
        return self.trials[0].part.tuned_from if self.trials else ""

    @cached_property
    def finished(self) -> tuple[Record, ...]:
        """The trials that count in means: run to the end, with finite test figures."""
        return tuple(trial for trial in self.with_status("finished") if _is_finite(trial))

    @cached_property
    def diverged(self) -> tuple[Record, ...]:
        """The trials whose mathematics blew up; one that reached the end with a loss that is not a number is one."""
        return tuple(
            t
            for t in self.trials
            if t.status == "diverged" or (t.status == "finished" and t.outcome and not _is_finite(t))
        )

    @cached_property
    def judged(self) -> tuple[Record, ...]:
        """Finished and diverged trials: those that say something about the optimizer."""
        return self.finished + self.diverged

    @property
    def ended(self) -> tuple[Record, ...]:
        """Trials that have a result, or failed."""
        return tuple(trial for trial in self.trials if trial.status != "running")

    def with_status(self, status: Status) -> tuple[Record, ...]:
        """The trials that the store has under this status."""
        return tuple(trial for trial in self.trials if trial.status == status)

    def metrics(self) -> dict[int, float]:
        """The test metric by seed, of the finished trials."""
        return {trial.seed: trial.outcome.test_metric for trial in self.finished if trial.outcome}

    def results(self) -> dict[int, float]:
        """The test metric by seed of the judged trials, not a number where one diverged."""
        found = {**self.metrics(), **{trial.seed: nan for trial in self.diverged}}
        return dict(sorted(found.items()))

    def looked(self) -> dict[int, frozenset[Look]]:
        """The earlier verdicts that a seed was part of, by seed."""
        return {trial.seed: trial.judged for trial in self.judged}


def group(records: Sequence[Record]) -> tuple[Setting, ...]:
    """The settings of the records, in the order in which their labels first appear; trials that tuned are none.

    Raises UsageError when the records cannot be compared: other protocols, one label for two settings, a seed twice.
    """
    _same_protocol(records)
    by_label: dict[str, list[Record]] = {}
    for record in measured(records):
        by_label.setdefault(record.label, []).append(record)
    return tuple(_setting(label, trials) for label, trials in by_label.items())


def measured(records: Sequence[Record]) -> list[Record]:
    """The trials that count: those that chose a configuration must not be the ones that praise it."""
    return [record for record in records if record.purpose == "measure"]


def tuned_from(settings: Sequence[Setting]) -> dict[str, str]:
    """For each tuned setting the label of the one that it was tuned from, where that is one of these."""
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
    """Whether the test figures are; a training function may not tell a loss besides what it is judged by."""
    if trial.outcome is None:
        return False
    told = isfinite(trial.outcome.test_loss) or trial.protocol.own_loop
    return told and isfinite(trial.outcome.test_metric)
