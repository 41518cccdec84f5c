"""A run of a study: trains the trials that the store has not finished and returns all records.

The driver is the only writer to the store, and an epoch is written with its checkpoint in one transaction. So the same
command again goes on where it was, whatever ended it, and a finished trial is never trained twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from surefoot.analysis.interim import Interim, interim_of, looker_of
from surefoot.analysis.scale import scale_of
from surefoot.analysis.settings import group
from surefoot.arms.arm import Arm
from surefoot.comparison.checkpoints import Checkpoints
from surefoot.comparison.time_budget import TimeBudget
from surefoot.comparison.try_out import TriedOut
from surefoot.design.rounds import TunedArms
from surefoot.design.trial import Trial
from surefoot.errors import unknown
from surefoot.store import Design, Record, Store
from surefoot.store.design import Planned
from surefoot.store.protocol import Protocol
from surefoot.store.records import ENDED
from surefoot.tasks import Trainable
from surefoot.training.events import Diverged, End, EpochDone, Event, Failed, Finished, Started
from surefoot.workers.executors import open_executor
from surefoot.workers.runner import Executor, Runner

Observer = Callable[[Trial, Event], None]
"""Called with each event and its trial, after the event was stored."""

AtLook = Callable[[Interim], None]
"""Called with where a run stands, after each planned look."""


@dataclass(frozen=True)
class Run:
    """A run of a study: its trials in order, its task and its tuning.

    `trials` are those of the optimizers as they were given; what `tuning` adds follows from results, round by round,
    and is stored before it is run. `design` is what was decided, to be stored before the first trial. With a budget in
    seconds all optimizers go from seed to seed together for as long as there is time.
    """

    design: Design
    trials: tuple[Trial, ...]
    task: Trainable
    workers: int
    tuning: TunedArms | None = None
    runner: Runner = field(default_factory=Runner)

    @property
    def name(self) -> str:
        """The name of the study."""
        return self.design.study

    @property
    def protocol(self) -> Protocol:
        """The protocol of every trial."""
        return self.trials[0].protocol

    def freeze(self, store: Store) -> Run:
        """Store the run with the trials known from the start. Returns the plan as first stored.

        What follows from a trial that failed is forgotten, as that is tried again.
        """
        kept = store.freeze(self.design)
        tuning = replace(self.tuning, frozen=kept.searches) if self.tuning else None
        frozen = replace(self, design=kept, tuning=tuning)
        planned = store.planned(kept.hash)
        if not planned or any(one.part.round < 0 for one in planned):  # the latter from a store of an older version
            store.plan(kept.hash, [trial.planned for trial in frozen.beginning()], after=-2)
            return frozen
        statuses = store.statuses([one.key for one in planned])
        deciding = [one for one in planned if one.part.tuned_from or self.design.looks.at]
        failed = [one.part.round for one in deciding if statuses.get(one.key) == "failed"]
        if failed:
            store.plan(kept.hash, [], after=min(failed))
        return frozen

    def beginning(self) -> list[Trial]:
        """Return the trials known before any result. With planned looks, they end at the first."""
        looks, first = self.design.looks.at, self.trials
        if looks:
            first = tuple(trial for trial in first if trial.seed in self.design.measure[: looks[0]])
        return [*first, *(self.tuning.first() if self.tuning else [])]

    def run(self, store: Store, observe: Observer, at_look: AtLook = lambda _: None) -> list[Record]:
        """Run the trials that are not finished, and store each result as it comes.

        Args:
            store: open for writing.
            observe: called with each event after it was stored.
            at_look: called after each planned look.
        """
        if not store.planned(self.design.hash):
            return self.freeze(store).run(store, observe, at_look)
        clock = TimeBudget(store, self.design, self.workers)
        tried: set[str] = set()
        with ExitStack() as workers:  # which stay from round to round, and are not started for nothing
            executor: Executor | None = None
            while todo := self._next(store, tried, clock, at_look):
                tried |= {trial.key for trial in todo}
                if executor is None:
                    opening = open_executor(self.runner, self.task, self.protocol.device, self.workers)
                    executor = TriedOut(workers.enter_context(opening))
                begun = time.monotonic()
                self._run(todo, store, observe, clock, executor)
                clock.learn(todo, time.monotonic() - begun)
        return self._noted(store)

    def _noted(self, store: Store) -> list[Record]:
        """Return the records, and note the seeds behind their verdict. More seeds will be another look."""
        records, places = self.records(store), {seed: place for place, seed in enumerate(self.design.measure, 1)}
        ended = [one.seed for one in records if one.purpose == "measure" and one.status in ENDED]
        measured = [places[seed] for seed in ended if seed in places]
        store.look(self.design.hash, measured and [max(measured)], _now())
        return records

    def _next(self, store: Store, tried: set[str], clock: TimeBudget, at_look: AtLook) -> list[Trial]:
        """Return the trials to run next. A time budget limits the measuring."""
        todo = [trial for trial in self.standing(store, tried, at_look)[1] if trial.key not in tried]
        if clock.deadline is None:
            return todo
        tuning = [trial for trial in todo if trial.purpose == "tune"]
        return tuning if tuning and clock.left > 0 else clock.fitting(todo)

    def _run(self, todo: list[Trial], store: Store, observe: Observer, clock: TimeBudget, executor: Executor) -> None:
        by_key = {trial.key: trial for trial in todo}
        checkpoints = Checkpoints(store, self.runner.checkpoints)
        with closing(executor.run(todo, checkpoints.load, deadline=clock.deadline)) as events:
            for event in events:
                _save(store, event, by_key, checkpoints)
                if isinstance(event, End):
                    checkpoints.drop(event.key)
                    clock.save()
                observe(by_key[event.key], event)
        clock.save()

    def standing(
        self, store: Store, tried: Collection[str] = (), at_look: AtLook = lambda _: None
    ) -> tuple[list[Trial], list[Trial]]:
        """Return every trial that the results so far ask for, in order, and those still to run.

        A round that follows from these results is stored first. A trial that failed is tried again, and nothing
        follows from it until it is one of the `tried`; one that two optimizers share is run once.
        """
        known = self.known(store)
        while more := self._following(store, known, tried, at_look):
            store.plan(self.design.hash, [trial.planned for trial in more], after=known[-1].part.round)
            known += more
        statuses = store.statuses([trial.key for trial in known])
        todo = {trial.key: trial for trial in known if statuses.get(trial.key) not in ENDED}
        return known, list(todo.values())

    def known(self, store: Store) -> list[Trial]:
        """Return the trials that the store has planned for this run, in their order."""
        return [self._trial(one) for one in store.planned(self.design.hash)]

    def records(self, store: Store) -> list[Record]:
        """Return the stored records of this study's trials, with its order, name and labels."""
        return store.run(self.design)

    def arm(self, store: Store, label: str) -> Arm:
        """Return the optimizer of a label. `UsageError` names close matches if none has it."""
        arms = {trial.arm.label: trial.arm for trial in self.known(store) if trial.purpose == "measure"}
        if label not in arms:
            raise unknown("optimizer of this study", label, arms)
        return arms[label]

    def _trial(self, planned: Planned) -> Trial:
        """Return a planned trial with its optimizer made again."""
        label = planned.part.tuned_from or planned.label
        given = next(trial for trial in self.trials if trial.arm.label == label)
        if planned.part.tuned_from and self.tuning:
            return self.tuning.trial(given.arm, planned.seed, planned.part)
        return replace(given, seed=planned.seed, part=planned.part)

    def _following(self, store: Store, known: list[Trial], tried: Collection[str], at_look: AtLook) -> list[Trial]:
        if self.tuning is None and not self.design.looks.at:
            return []
        records = store.run(self.design, curves=False)
        ended = {one.key: one for one in records if one.status != "failed" or one.key in tried}
        tuning = self.tuning.following(known, ended) if self.tuning else []
        waiting = any(trial.key not in ended or ended[trial.key].status == "running" for trial in known)
        if tuning or waiting or not self.design.looks.at:
            return tuning
        found = self.interim(list(ended.values()))
        if new := set(found.taken) - set((store.design(self.design.hash) or self.design).looked):
            store.look(self.design.hash, new, _now())
            at_look(found)
        return self._up_to_look(known, found)

    def interim(self, records: Sequence[Record]) -> Interim:
        """Return what the planned looks have decided, by these records of the run alone."""
        arms = group(records)
        return interim_of(looker_of(arms, scale_of(self.protocol), self.design, self.design.margin), arms, self.design)

    def _up_to_look(self, known: Sequence[Trial], found: Interim) -> list[Trial]:
        """Return the trials up to the next look, without dropped optimizers, as a round."""
        more = self.design.measure[: found.due] if found.due else ()
        inside = {trial.arm.label: trial for trial in known if trial.purpose == "measure"}
        inside = {label: trial for label, trial in inside.items() if label not in found.out}
        has = {(trial.arm.label, trial.seed) for trial in known if trial.purpose == "measure"}
        number = 1 + known[-1].part.round
        return [
            replace(trial, seed=seed, part=replace(trial.part, round=number))
            for seed in more
            for label, trial in inside.items()
            if (label, seed) not in has
        ]


def _now() -> str:
    """Return this instant in UTC, as ISO 8601 has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _save(store: Store, event: Event, trials: dict[str, Trial], checkpoints: Checkpoints) -> None:
    """Write what an event says; progress within an epoch is not kept."""
    match event:
        case Started(key, _, environment):
            store.begin(trials[key].record(environment))
        case EpochDone():
            checkpoints.save(event)
        case Finished(key, outcome):
            store.finish(key, outcome)
        case Diverged(key, reason):
            store.diverge(key, reason)
        case Failed(key, reason):
            if store.record(key) is None:
                store.begin(trials[key].record({}))
            store.fail(key, reason)
