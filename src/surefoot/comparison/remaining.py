"""What is left of a study before it runs: how many trials of which rule, and how many more there may be.

Tuning decides on the way whether a search goes on and what is measured at the end, so what is left is a range: without
any extension, and with all that `MOST_EXTENSIONS` allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from surefoot.analysis.forecast import Phase
from surefoot.comparison.driver import Run
from surefoot.design.trial import Trial
from surefoot.search.proposals import again, longest
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


def outlook(run: Run, records: Mapping[str, Record]) -> Outlook:
    """Return what a run will do, given the records there are, by key; nothing is run."""
    defaults, planned = _phase("defaults", run.trials, records), run.tuning
    if planned is None:
        return Outlook((defaults,))
    known = planned.known(records)
    measuring = [trial for trial in known if trial.part.role == "measured"]
    tuning = _phase("tuning", [trial for trial in known if trial.part.role == "tuning"], records)
    finals = _phase("finals", [trial for trial in known if trial.part.role == "final"], records)
    if measuring:
        return Outlook((defaults, tuning, finals, _phase("measuring", measuring, records)))
    rules = [arm.rule for arm in planned.arms if planned.spaces[arm.label].ranges]
    measured = _unknown("measuring", rules, len(planned.measure))
    if finals.trials:
        return Outlook((defaults, tuning, finals, measured))
    tried = tuning.trials // max(1, len(rules))
    certain = (defaults, tuning, _unknown("finals", rules, again(tried)), measured)
    if not any(space.may_grow for space in planned.spaces.values()):
        return Outlook(certain)
    return Outlook(certain, _unknown("extension", rules, longest(planned.trials) - tried - again(tried)))


def _phase(name: str, trials: Sequence[Trial], records: Mapping[str, Record]) -> Phase:
    left = [trial for trial in trials if trial.key not in records or records[trial.key].status not in ENDED]
    return Phase(name, len(trials), len(trials) - len(left), Counter(trial.arm.rule for trial in left))


def _unknown(name: str, rules: Sequence[str], each: int) -> Phase:
    """Return a phase whose trials are known in number only."""
    counts = Counter({rule: count * each for rule, count in Counter(rules).items()})
    return Phase(name, counts.total(), 0, counts)
