"""The tuned arms of a study: which trials the results so far ask for, decided by results alone.

Every optimizer is compared twice, with its defaults and tuned. Tuning has trials of its own, on seeds of its own, that
never see the test images; the configuration with the best validation accuracy is then measured on the measuring seeds
like everybody else, and only these trials are compared. What comes next follows from the stored results, so a study
that was stopped goes on where it was, and the order in which trials finish does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from statistics import fmean

from surefoot.compare.arm import Arm
from surefoot.compare.search import Config, LedgerRow, Tuning, chosen, ledger, plan_extension, propose
from surefoot.compare.space import Space, space
from surefoot.compare.trial import Trial
from surefoot.store.records import Purpose, Record

Make = Callable[[Arm, int, Purpose], Trial]
"""Makes the trial of an arm and a seed."""

ENDED = ("finished", "diverged", "failed")


@dataclass(frozen=True)
class TunedArms:
    """The tuning of a study's optimizers.

    Attributes:
        arms: the optimizers, as the user gave them.
        trials: how many configurations each gets.
        measure: the seeds that measure.
        tune: the seeds that tune.
        make: makes a trial.
        seed: of the search.
    """

    arms: tuple[Arm, ...]
    trials: int
    measure: tuple[int, ...]
    tune: tuple[int, ...]
    make: Make
    seed: int = 0

    def known(self, records: Mapping[str, Record]) -> list[Trial]:
        """Return every trial that can be told from these records, by key: the tuning so far, and then the measuring."""
        tunings, trials, over = self._tunings(records)
        if not over:
            return trials
        winners = [
            tuned(arm, chosen(tunings[arm.label], "max")) for arm in self.arms if self.spaces[arm.label].dimensions
        ]
        return trials + [self.make(arm, seed, "measure") for seed in self.measure for arm in winners]

    def ledger(self, records: Mapping[str, Record]) -> tuple[LedgerRow, ...]:
        """Return what each optimizer's tuning has cost so far."""
        return ledger(self._tunings(records)[0], "max")

    @property
    def spaces(self) -> dict[str, Space]:
        """What is searched for each optimizer, by its label."""
        return {arm.label: space(arm.rule, self.trials, arm.convention, fixed=arm.given) for arm in self.arms}

    def _tunings(self, records: Mapping[str, Record]) -> tuple[dict[str, Tuning], list[Trial], bool]:
        """Return the finished rounds of tuning, every trial of those that have begun, and whether it is over."""
        tunings = {label: Tuning(found) for label, found in self.spaces.items()}
        asked: dict[str, Sequence[Config]] = {
            label: propose(found, self.trials, self.seed) for label, found in self.spaces.items()
        }
        trials = self._round(asked)
        values = self._values(asked, records)
        if values is None:
            return tunings, trials, False
        tunings = {
            label: replace(tuning, configs=tuple(asked[label]), values=values[label])
            for label, tuning in tunings.items()
        }
        while extensions := plan_extension(tunings, self.trials, "max", self.seed):
            asked = {label: extension.configs for label, extension in extensions.items()}
            trials += self._round(asked)
            values = self._values(asked, records)
            if values is None:
                return tunings, trials, False
            tunings |= {label: tunings[label].after(one, values[label]) for label, one in extensions.items()}
        return tunings, trials, True

    def _round(self, asked: Mapping[str, Sequence[Config]]) -> list[Trial]:
        """Return a round's trials, the optimizers in turn, so that they advance together."""
        arms = {arm.label: arm for arm in self.arms}
        most = max(map(len, asked.values()), default=0)
        return [
            self.make(tuned(arms[label], configs[k]), seed, "tune")
            for k in range(most)
            for label, configs in asked.items()
            if k < len(configs)
            for seed in self.tune
        ]

    def _values(
        self, asked: Mapping[str, Sequence[Config]], records: Mapping[str, Record]
    ) -> dict[str, tuple[float, ...]] | None:
        """Return the validation accuracy of each configuration; None if one has not ended."""
        arms = {arm.label: arm for arm in self.arms}
        found = {
            label: [
                [records.get(self.make(tuned(arms[label], config), seed, "tune").key) for seed in self.tune]
                for config in configs
            ]
            for label, configs in asked.items()
        }
        ended = [one is not None and one.status in ENDED for of in found.values() for seeds in of for one in seeds]
        if not all(ended):
            return None
        return {label: tuple(fmean(map(_score, seeds)) for seeds in of) for label, of in found.items()}


def tuned(arm: Arm, config: Config) -> Arm:
    """Return an arm at a configuration that was searched, under the name that its tuned results have."""
    made = arm.with_options(config)
    return replace(made, label=f"{arm.label} tuned")


def _score(record: Record | None) -> float:
    """Return a trial's last validation accuracy; what did not finish has none."""
    if record is None or record.status != "finished":
        return nan
    return record.epochs[-1].validation_accuracy
