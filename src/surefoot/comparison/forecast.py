"""A forecast of a study, read from its plan and the store. Nothing is trained or written.

Tuning decides on the way whether a search goes on and what is measured at the end, so what is left is a range: without
any extension, and with all that `MOST_EXTENSIONS` allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from surefoot.analysis.forecast import (
    SAME_STEP,
    Phase,
    Prospect,
    courses,
    smallest_difference,
    spread,
    step_times,
    training_seconds,
)
from surefoot.analysis.interim import Interim
from surefoot.analysis.scale import Scale
from surefoot.comparison.driver import Run
from surefoot.comparison.request import Request
from surefoot.comparison.try_out import NotTimed, of_every
from surefoot.design.budget import once, wall
from surefoot.design.trial import Trial
from surefoot.options import Options
from surefoot.search.proposals import RACING_SEEDS, again, longest
from surefoot.store import Store
from surefoot.store.design import Timing
from surefoot.store.protocol import Protocol
from surefoot.store.records import ENDED, Record
from surefoot.words.forecast import forecast_json, forecast_text

PILOT_MOST = 60.0
"""Seconds of a forecast for timing the optimizers. A training function is timed for a whole epoch."""


@dataclass(frozen=True)
class Forecast:
    """The size, cost and power of a study before it runs.

    Attributes:
        numbers: all of it.
    """

    numbers: Prospect

    def __str__(self) -> str:
        return forecast_text(self.numbers)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain dicts and lists for `json.dumps`."""
        return forecast_json(self.numbers)


def foretell(request: Request, options: Options) -> Forecast:
    """Return the forecast of a study. A missing store is not created.

    For a budget in minutes that no earlier run has timed, the optimizers are timed, for a second or two each.

    Raises:
        UsageError: a budget in minutes buys no study.
    """
    with ExitStack() as opened:
        path = Path(options.store)
        store = opened.enter_context(Store(path, readonly=True)) if path.exists() else None
        return Forecast(_prospect(request, store))


def _prospect(request: Request, store: Store | None) -> Prospect:
    records, designs = (store.records(), store.designs()[::-1]) if store else ([], [])
    timings = next((one.timings for one in designs if one.timings and _same_steps(one.protocol, request.protocol)), {})
    bought: Literal["", "store", "pilot"] = ""
    if request.budget.seconds is not None:
        bought = "store" if timings else "pilot"
        timings = timings or _piloted(request, request.budget.seconds)
        bought = bought if timings else ""
    sizing = request.wanted
    known = of_every(timings, request.arms) if bought else {}
    if bought:
        sizing = request.bought(known, once(known))
    study = request.plan(sizing)
    protocol = study.protocol
    ran = store.run(study.design) if store and study.design.looks.at else []
    trials = outlook(study, {record.key: record for record in records}, study.interim(ran) if ran else Interim())
    times = step_times(records, protocol)
    units = protocol.epochs if protocol.own_loop else protocol.steps
    training = training_seconds({arm.label: arm.rule for arm in request.arms}, units, times)
    timed = {label: one.trial(protocol, sizing.epochs) for label, one in known.items()}
    same = (store.run(one) for one in designs if store and one.protocol.decides == protocol.decides)
    like = next(filter(None, same), [])
    found = spread(like, protocol.metric, protocol.test_size)
    # the tuned are a family, as large as that of the untuned
    resolution, looks = Scale(protocol.metric, protocol.test_size).resolution, study.design.looks
    told = (len(study.design.measure), len(request.arms), resolution, looks.question)
    return Prospect(
        study=study.name,
        protocol=protocol,
        workers=study.workers,
        sizing=sizing,
        budget=request.budget.seconds,
        bought=bought,
        phases=trials.certain,
        extension=trials.extension,
        step_times=tuple(time for found in times.values() for time in found),
        seconds=trials.walls(training, study.workers),
        spaces=study.tuning.spaces if study.tuning else {},
        spread=found,
        tune_seeds=len(study.design.tune),
        detectable=smallest_difference(found, *told) if found else None,
        looks=looks,
        optimizers=len(request.arms),
        courses=courses(looks, len(request.arms)),
        piloted=trials.walls(timed, study.workers),
    )


def _piloted(request: Request, seconds: float) -> Mapping[str, Timing]:
    """Return the times of every optimizer, or none where timing exceeds a forecast's limit."""
    try:
        return request.pilot(min(seconds, PILOT_MOST))
    except NotTimed:
        if seconds <= PILOT_MOST:
            raise
        return {}


def _same_steps(mine: Protocol, its: Protocol) -> bool:
    """Return whether two protocols train the same model on equally many examples and the same device."""
    return all(getattr(mine, name) == getattr(its, name) for name in (*SAME_STEP, "fingerprint", "train_size"))


@dataclass(frozen=True)
class Outlook:
    """The phases that are certain, and the extension, which needs a best learning rate at our edge."""

    certain: tuple[Phase, ...]
    extension: Phase | None = None

    @property
    def left(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """The smallest and the largest number of trials left, by label of the optimizer, as given and tuned."""
        least: Counter[str] = Counter()
        for phase in self.certain:
            least.update(phase.left)
        return least, least + Counter(self.extension.left if self.extension else {})

    def walls(self, each: Mapping[str, float], workers: int) -> tuple[float, float] | None:
        """Return the seconds until these trials have ended, least and most; None where no time is known.

        Args:
            each: seconds of a trial of each optimizer, by label.
            workers: trials at a time.
        """
        if not each:
            return None
        least, most = (wall([each[label] for label in Counter(left).elements()], workers) for left in self.left)
        return least, most


def outlook(run: Run, records: Mapping[str, Record], found: Interim | None = None) -> Outlook:
    """Return the trials that a run can still do, at most. Nothing is run.

    Args:
        run: the run.
        records: what the store has.
        found: what planned looks have decided; None where there are none.
    """
    defaults = _phase("defaults", [trial for trial in run.trials if _comes(run, trial, found)], records)
    planned = run.tuning
    if planned is None:
        return Outlook((defaults,))
    known = planned.known(records)
    chosen = [trial for trial in known if trial.part.role == "measured" and trial.seed == run.design.measure[0]]
    every = [replace(trial, seed=seed) for seed in run.design.measure for trial in chosen]
    measuring = [trial for trial in every if _comes(run, trial, found)]
    tuning = _phase("tuning", [trial for trial in known if trial.part.role == "tuning"], records)
    finals = _phase("finals", [trial for trial in known if trial.part.role == "final"], records)
    tuned = len(planned.tune)
    if measuring:
        return Outlook((defaults, tuning, finals, _phase("measuring", measuring, records)))
    labels = [arm.label for arm in planned.arms if planned.spaces[arm.label].ranges]
    measured = _unknown("measuring", labels, len(run.design.measure))
    tried = tuning.trials // max(1, len(labels))
    if finals.trials:
        if tuned >= RACING_SEEDS:  # at most all seeds of the race are run
            ended = Counter(trial.optimizer for trial in known if trial.part.role == "final") - Counter(finals.left)
            race = _unknown("finals", labels, again(tried, tuned))
            finals = replace(race, done=finals.done, left=Counter(race.left) - ended)
        return Outlook((defaults, tuning, finals, measured))
    certain = (defaults, tuning, _unknown("finals", labels, again(tried, tuned)), measured)
    if not any(space.may_grow for space in planned.spaces.values()):
        return Outlook(certain)
    return Outlook(certain, _unknown("extension", labels, longest(planned.trials, tuned) - tried - again(tried, tuned)))


def _comes(run: Run, trial: Trial, found: Interim | None) -> bool:
    """Return whether a measuring trial comes, given the looks so far."""
    if found is None or not found.taken:
        return True
    seeds = next((one.seeds for one in found.left if one.label == trial.arm.label), None)
    seeds = found.taken[-1] if seeds is None and found.decided else seeds
    return seeds is None or trial.seed in run.design.measure[:seeds]


def _phase(name: str, trials: Sequence[Trial], records: Mapping[str, Record]) -> Phase:
    left = [trial for trial in trials if trial.key not in records or records[trial.key].status not in ENDED]
    return Phase(name, len(trials), len(trials) - len(left), Counter(trial.optimizer for trial in left))


def _unknown(name: str, labels: Sequence[str], each: int) -> Phase:
    """Return a phase whose trials are known in number only."""
    return Phase(name, len(labels) * each, 0, Counter(dict.fromkeys(labels, each)))
