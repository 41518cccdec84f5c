"""What a study still has in store, before it runs: how many trials of which rule, and how many more there may be.

Tuning decides on the way whether a search goes on and what is measured at the end, so what is left is a range: without
any extension, and with all that `search.MOST_EXTENSIONS` allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from surefoot.analysis.forecast import Phase
from surefoot.arms.arm import Arm
from surefoot.comparison.driver import Plan
from surefoot.design.rounds import TunedArms
from surefoot.design.trial import Trial
from surefoot.search.proposals import MOST_EXTENSIONS, again, extra
from surefoot.store.records import ENDED, Record


@dataclass(frozen=True)
class Outlook:
    """The phases that are certain, and the one that only happens if a best learning rate lies at an edge of ours."""

    certain: tuple[Phase, ...]
    extension: Phase | None = None

    @property
    def trials(self) -> tuple[int, int]:
        """How many trials the study has, at least and at most."""
        least = sum(phase.trials for phase in self.certain)
        return least, least + (self.extension.trials if self.extension else 0)

    @property
    def left(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """How many trials of each rule are still to run, at least and at most."""
        least: Counter[str] = Counter()
        for phase in self.certain:
            least.update(phase.left)
        return least, least + Counter(self.extension.left if self.extension else {})


def outlook(study: Plan, records: Mapping[str, Record]) -> Outlook:
    """Return what the study will run, given the records there are, by key; nothing is run."""
    defaults = _phase("defaults", study.trials, records)
    if study.tuning is None:
        return Outlook((defaults,))
    known = study.tuning.known(records)
    measuring = [trial for trial in known if trial.purpose == "measure"]
    first, *others = study.tuning.tune
    tuning = _phase("tuning", [trial for trial in known if trial.purpose == "tune" and trial.seed == first], records)
    finals = _phase("finals", [trial for trial in known if trial.seed in others], records)
    if measuring:
        return Outlook((defaults, tuning, finals, _phase("measuring", measuring, records)))
    searched = _searched(study.tuning)
    measured = _unknown("measuring", searched, len(study.tuning.measure))
    if finals.trials:
        return Outlook((defaults, tuning, finals, measured))
    tried = tuning.trials // max(1, len(searched))
    certain = (defaults, tuning, _unknown("finals", searched, again(tried)), measured)
    if not any(space.may_grow for space in study.tuning.spaces.values()):
        return Outlook(certain)
    return Outlook(certain, _unknown("extension", searched, _further(study.tuning.trials, tried)))


def _searched(tuning: TunedArms) -> list[Arm]:
    return [arm for arm in tuning.arms if tuning.spaces[arm.label].dimensions]


def _further(planned: int, tried: int) -> int:
    """Return how many more trials an optimizer may get to tune it, beyond those of so many configurations."""
    most = planned + MOST_EXTENSIONS * extra(planned)
    return most + again(most) - tried - again(tried)


def _phase(name: str, trials: Iterable[Trial], records: Mapping[str, Record]) -> Phase:
    every = list(trials)
    left = [trial for trial in every if trial.key not in records or records[trial.key].status not in ENDED]
    return Phase(name, len(every), len(every) - len(left), Counter(trial.arm.identity for trial in left))


def _unknown(name: str, arms: Iterable[Arm], each: int) -> Phase:
    """Return a phase whose trials are known in number only."""
    counts = Counter({rule: count * each for rule, count in Counter(arm.identity for arm in arms).items()})
    return Phase(name, counts.total(), 0, counts)
