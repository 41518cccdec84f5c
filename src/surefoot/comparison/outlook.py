"""What a study still has in store, before it runs: how many trials of which rule, and how many more there may be.

Tuning decides on the way whether a search goes on and what is measured at the end, so what is left is a range: without
any extension, and with all that `search.MOST_EXTENSIONS` allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from surefoot.comparison.arm import Arm
from surefoot.comparison.plan import Plan
from surefoot.comparison.search import MOST_EXTENSIONS, extra
from surefoot.comparison.trial import Trial
from surefoot.comparison.tuned import TunedArms
from surefoot.store.records import ENDED, Record


@dataclass(frozen=True)
class Phase:
    """A part of a study: its trials, how many of them have ended, and those that are left, counted by rule."""

    name: str
    trials: int
    done: int
    left: Mapping[str, int]


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
    tuning = _phase("tuning", [trial for trial in known if trial.purpose == "tune"], records)
    if measuring:
        return Outlook((defaults, tuning, _phase("measuring", measuring, records)))
    searched = _searched(study.tuning)
    begun = tuning.trials // max(1, len(searched) * len(study.tuning.tune)) - study.tuning.trials
    measured = _unknown("measuring", searched, len(study.tuning.measure))
    if not any(space.may_grow for space in study.tuning.spaces.values()):
        return Outlook((defaults, tuning, measured))
    more = _further(study.tuning.trials, begun) * len(study.tuning.tune)
    return Outlook((defaults, tuning, measured), _unknown("extension", searched, more))


def _searched(tuning: TunedArms) -> list[Arm]:
    return [arm for arm in tuning.arms if tuning.spaces[arm.label].dimensions]


def _further(planned: int, begun: int) -> int:
    """Return how many more configurations an optimizer may get, after so many beyond those planned."""
    return max(0, MOST_EXTENSIONS * extra(planned) - begun)


def _phase(name: str, trials: Iterable[Trial], records: Mapping[str, Record]) -> Phase:
    every = list(trials)
    left = [trial for trial in every if trial.key not in records or records[trial.key].status not in ENDED]
    return Phase(name, len(every), len(every) - len(left), Counter(trial.arm.identity for trial in left))


def _unknown(name: str, arms: Iterable[Arm], each: int) -> Phase:
    """Return a phase whose trials are known in number only."""
    counts = Counter({rule: count * each for rule, count in Counter(arm.identity for arm in arms).items()})
    return Phase(name, counts.total(), 0, counts)
