"""The tuned arms of a study: which trials the results so far ask for, decided by results alone.

Every optimizer is compared twice, with its defaults and tuned. Tuning has trials of its own, on seeds of its own, that
never see the test images: every configuration is tried on the first of these seeds, and the best few on the rest. The
one with the best mean validation metric is then measured on the measuring seeds like everybody else, and only these
trials are compared. What comes next follows from the stored results, so a study
that was stopped goes on where it was, and the order in which trials finish does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from math import nan
from statistics import fmean

from surefoot.comparison.arm import Arm
from surefoot.comparison.search import Config, Tuning, chosen, finalists, plan_extension, propose
from surefoot.comparison.space import Space
from surefoot.comparison.trial import Trial
from surefoot.store.records import Better, Purpose, Record

Make = Callable[[Arm, int, Purpose], Trial]
"""Makes the trial of an arm and a seed."""

TUNED = " tuned"
"""The end of the name of an optimizer's tuned results."""

Round = Mapping[str, Sequence[Sequence[Trial]]]
"""Trials by the optimizer's label, the configuration that they try, and the seed."""


@dataclass(frozen=True)
class TunedArms:
    """The tuning of a study's optimizers.

    Attributes:
        arms: the optimizers, as the user gave them.
        trials: how many configurations each gets.
        measure: the seeds that measure.
        tune: the seeds that tune: the first tries every configuration, the others the best of them.
        make: makes a trial.
        better: whether the larger or the smaller validation metric is the better one.
        seed: of the search.
        frozen: the configurations to try first, by label, if they were decided before.
    """

    arms: tuple[Arm, ...]
    trials: int
    measure: tuple[int, ...]
    tune: tuple[int, ...]
    make: Make
    better: Better = "max"
    seed: int = 0
    frozen: Mapping[str, Sequence[Config]] | None = None

    @cached_property
    def spaces(self) -> dict[str, Space]:
        """What is searched for each optimizer, by its label."""
        return {arm.label: arm.space(self.trials) for arm in self.arms}

    @cached_property
    def configurations(self) -> Mapping[str, Sequence[Config]]:
        """What each optimizer tries before any result is known, by its label."""
        return self.frozen or {label: propose(found, self.trials, self.seed) for label, found in self.spaces.items()}

    def known(self, records: Mapping[str, Record]) -> list[Trial]:
        """Return every trial that can be told from these records, by key: the tuning so far, and then the measuring."""
        asked = self.configurations
        trials = self._trials(asked, self.tune[:1])
        every, values = _in_turn(trials), _values(trials, records)
        if values is None:
            return every
        tunings = {label: Tuning(self.spaces[label], tuple(asked[label]), values[label]) for label in asked}
        while extensions := plan_extension(tunings, self.trials, self.better, self.seed):
            trials = self._trials({label: one.configs for label, one in extensions.items()}, self.tune[:1])
            every, values = every + _in_turn(trials), _values(trials, records)
            if values is None:
                return every
            tunings |= {label: tunings[label].after(one, values[label]) for label, one in extensions.items()}
        last = {label: finalists(one, self.better) for label, one in tunings.items() if len(self.tune) > 1}
        every += _in_turn(self._trials(last, self.tune[1:]))
        values = _values(self._trials(last, self.tune), records)
        if values is None:
            return every
        return every + self._measuring(tunings | {at: replace(tunings[at], finals=values[at]) for at in last})

    def _trials(self, asked: Mapping[str, Sequence[Config]], seeds: Sequence[int]) -> Round:
        arms = {arm.label: arm for arm in self.arms}
        return {
            label: [[self.make(tuned(arms[label], config), seed, "tune") for seed in seeds] for config in configs]
            for label, configs in asked.items()
        }

    def _measuring(self, tunings: Mapping[str, Tuning]) -> list[Trial]:
        """Return the trials that measure what tuning chose; an optimizer with nothing to tune is measured already."""
        searched = [arm for arm in self.arms if self.spaces[arm.label].dimensions]
        winners = [tuned(arm, chosen(tunings[arm.label], self.better)) for arm in searched]
        return [self.make(arm, seed, "measure") for seed in self.measure for arm in winners]


def _in_turn(trials: Round) -> list[Trial]:
    """Return a round's trials, the optimizers in turn, so that they advance together."""
    turns = zip_longest(*trials.values(), fillvalue=[])
    return [trial for turn in turns for seeds in turn for trial in seeds]


def _values(trials: Round, records: Mapping[str, Record]) -> dict[str, tuple[float, ...]] | None:
    """Return the validation metric of each configuration; None if a trial has not ended."""
    if any(trial.key not in records or records[trial.key].status == "running" for trial in _in_turn(trials)):
        return None
    return {
        label: tuple(fmean(_score(records[trial.key]) for trial in seeds) for seeds in configs)
        for label, configs in trials.items()
    }


def tuned(arm: Arm, config: Config) -> Arm:
    """Return an arm at a configuration that was searched, under the name that its tuned results have."""
    made = arm.with_options(config)
    return replace(made, label=arm.label + TUNED)


def _score(record: Record) -> float:
    """Return a trial's last validation metric; what diverged or failed has none."""
    return record.epochs[-1].validation_metric if record.status == "finished" else nan
