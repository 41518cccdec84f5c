"""The rounds of tuning: the trials that the results so far ask for.

Every optimizer is compared twice, with its defaults and tuned. Tuning has trials of its own, on seeds of its own, that
never see the test images: every configuration is tried on the first of these seeds, and the best few on the rest. With
many tuning seeds these few race: all optimizers get the same rounds, of one seed each, and who is clearly behind at the
end of a round is in none of the next. The first seed has no say in that, as it chose who may race. The one with the
best mean validation metric is then measured on the measuring seeds like everybody else, and only these trials are
compared. What comes next follows from the stored results, so a study that was stopped goes on where it was,
and the order in which trials finish does not show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, groupby, zip_longest
from math import nan
from statistics import fmean

from surefoot.arms.arm import Arm
from surefoot.design.trial import Trial
from surefoot.search.proposals import (
    RACING_SEEDS,
    Config,
    Extension,
    Tuning,
    chosen,
    finalists,
    growing_side,
    plan_extension,
    propose,
)
from surefoot.search.race import FIRST, dropped_of
from surefoot.store.design import Role, Search, TrialPart
from surefoot.store.protocol import Better
from surefoot.store.records import Record
from surefoot.values import free_name

Make = Callable[[Arm, int, TrialPart], Trial]
"""Makes the trial of an arm, a seed and a part in the run."""

Records = Mapping[str, Record]


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
        step: the smallest step of a validation metric.
        seed: of the search.
        frozen: where each is searched and what it tries first, by label, if that was decided before.
    """

    arms: tuple[Arm, ...]
    trials: int
    measure: tuple[int, ...]
    tune: tuple[int, ...]
    make: Make
    better: Better = "max"
    step: float = 0.0
    seed: int = 0
    frozen: Mapping[str, Search] | None = None

    @cached_property
    def spaces(self) -> dict[str, Search]:
        """The search space of each optimizer, by label."""
        return {arm.label: arm.space(self.trials) for arm in self.arms}

    @cached_property
    def searches(self) -> Mapping[str, Search]:
        """The search of each optimizer by label: its ranges, and the configurations known from the start."""
        return self.frozen or {
            label: replace(space, configurations=tuple(propose(space, self.trials, self.seed)))
            for label, space in self.spaces.items()
        }

    @cached_property
    def labels(self) -> dict[str, str]:
        """The label of each optimizer's tuned results, by its own: none that the user gave."""
        labels = [arm.label for arm in self.arms]
        found: dict[str, str] = {}
        for label in labels:
            found[label] = free_name(f"{label} tuned", {*labels, *found.values()})
        return found

    def first(self) -> list[Trial]:
        """Return the trials that tuning begins with."""
        return self._round("tuning", 0, {at: one.configurations for at, one in self.searches.items()}, self.tune[:1])

    def following(self, trials: Sequence[Trial], records: Records) -> list[Trial]:
        """Return the round that follows these trials. It is empty while one still tunes, or if all is known.

        Args:
            trials: all of this tuning so far.
            records: their results, by key.
        """
        mine = [trial for trial in trials if trial.part.tuned_from]
        roles = {trial.part.role for trial in mine}
        ended = (trial.key in records and records[trial.key].status != "running" for trial in mine)
        if "measured" in roles or not all(ended):
            return []
        number = 1 + max((trial.part.round for trial in mine), default=0)
        tunings = {label: self._tuning(label, mine, records) for label in self.spaces}
        if "final" not in roles:
            if extensions := plan_extension(tunings, self.trials, self.better, self.seed):
                further = {label: one.configs for label, one in extensions.items()}
                return self._round("tuning", number, further, self.tune[:1])
            last = {label: finalists(one, self.better) for label, one in tunings.items()}
            if again := self._round("final", number, last, self.tune[1 : 1 + self.first_round]):
                return again
        elif race := self._race(mine, records):
            return self._round("final", number, *race)
        # An optimizer with nothing to tune is measured already.
        winners = {at: [chosen(one, self.better)] for at, one in tunings.items() if one.space.ranges}
        return [trial for seed in self.measure for trial in self._round("measured", number, winners, [seed])]

    @property
    def first_round(self) -> int:
        """The seeds of the finalists before the first look at them: all, unless they race."""
        return FIRST if len(self.tune) >= RACING_SEEDS else len(self.tune) - 1

    def known(self, records: Records) -> list[Trial]:
        """Return every trial that these records ask for: first the tuning, then the measuring."""
        trials = self.first()
        while more := self.following(trials, records):
            trials += more
        return trials

    def trial(self, arm: Arm, seed: int, part: TrialPart) -> Trial:
        """Return the trial of a part: its arm as given, or at the configuration of the part."""
        return self.make(tuned(arm, part.configuration, self.labels[arm.label]), seed, part)

    def _round(
        self, role: Role, number: int, asked: Mapping[str, Sequence[Config]], seeds: Sequence[int]
    ) -> list[Trial]:
        """Return a round's trials, the optimizers in turn, so that they advance together."""
        arms = {arm.label: arm for arm in self.arms}
        turns = zip_longest(*([(label, config) for config in configs] for label, configs in asked.items()))
        return [
            self.trial(arms[label], seed, TrialPart(role, label, config, number, self.searches[label]))
            for label, config in filter(None, chain.from_iterable(turns))
            for seed in seeds
        ]

    def _tuning(self, label: str, trials: Iterable[Trial], records: Records) -> Tuning:
        """Return the tuning of one optimizer so far, from these trials."""
        mine = [trial for trial in trials if trial.part.tuned_from == label]
        tuning = Tuning(self.spaces[label])
        for _, group in groupby((t for t in mine if t.part.role == "tuning"), lambda trial: trial.part.round):
            tried = list(group)
            further = Extension(growing_side(tuning, self.better), tuple(trial.part.configuration for trial in tried))
            tuning = tuning.after(further, [records[trial.key].validation_score for trial in tried])
        tuning = replace(tuning, extensions=tuning.extensions[1:])  # the first round is none
        if len(self.tune) == 1 or not any(trial.part.role == "final" for trial in mine):
            return tuning
        last = finalists(tuning, self.better)
        out = self._dropped(last, mine, records)
        finals = (nan if after else _mean(config, mine, records) for config, after in zip(last, out, strict=True))
        return replace(tuning, finals=tuple(finals))

    def _dropped(self, last: Sequence[Config], mine: Sequence[Trial], records: Records) -> list[int | None]:
        """Return after how many seeds each of an optimizer's finalists was dropped."""
        sign, raced = 1 if self.better == "max" else -1, [trial for trial in mine if trial.part.role == "final"]
        gains = [(trial.part.configuration, sign * records[trial.key].validation_score) for trial in raced]
        return dropped_of(last, gains, len(self.tune), self.step)

    def _race(self, trials: Sequence[Trial], records: Records) -> tuple[dict[str, list[Config]], Sequence[int]] | None:
        """Return the finalists left in each open race, and the next seed; None if nothing is to run."""
        run = {trial.seed for trial in trials if trial.part.role == "final"}
        left: dict[str, list[Config]] = {}
        for label in self.spaces:
            mine = [trial for trial in trials if trial.part.tuned_from == label]
            last = finalists(self._tuning(label, mine, records), self.better)
            out = self._dropped(last, mine, records)
            left[label] = [config for config, after in zip(last, out, strict=True) if after is None]
        racing = {label: configs for label, configs in left.items() if len(configs) > 1}
        seeds = [seed for seed in self.tune[1:] if seed not in run][:1]
        return (racing, seeds) if racing and seeds else None


def tuned(arm: Arm, config: Config, label: str) -> Arm:
    """Return an arm at a searched configuration, under its tuned label."""
    return replace(arm.with_options(config), label=label)


def _mean(config: Config, trials: Iterable[Trial], records: Records) -> float:
    return fmean(records[trial.key].validation_score for trial in trials if trial.part.configuration == config)
