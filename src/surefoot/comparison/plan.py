"""A planned study: run those of its trials that the store does not have finished yet, hand back the records.

The driver is the only writer to the store, and an epoch is written with its checkpoint in one transaction. So the same
command again goes on where it was, whatever ended it, and a finished trial is never trained twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

from surefoot.comparison.events import Diverged, EpochDone, Event, Failed, Finished, Started
from surefoot.comparison.pool import Pool
from surefoot.comparison.protocol import Protocol
from surefoot.comparison.sharing import shared
from surefoot.comparison.trial import Trial
from surefoot.comparison.tuned import TunedArms
from surefoot.store import Record, Store
from surefoot.store.records import ENDED
from surefoot.tasks import Task

Observer = Callable[[Trial, Event], None]
"""Called with each event and its trial, after the event was stored."""


@dataclass(frozen=True)
class Plan:
    """A planned study: its trials in the order in which they start, the task that they train, and its tuning.

    `trials` are those that are known from the start; what `tuning` adds follows from results.
    """

    name: str
    trials: tuple[Trial, ...]
    task: Task
    workers: int
    tuning: TunedArms | None = None

    @property
    def protocol(self) -> Protocol:
        """How every trial is trained."""
        return self.trials[0].protocol

    def run(self, store: Store, observe: Observer) -> list[Record]:
        """Run what is not finished yet, writing to the store as it happens; returns this study's records.

        Args:
            store: open for writing.
            observe: called with each event after it was stored.
        """
        tried: set[str] = set()
        while todo := [trial for trial in self.unfinished(store) if trial.key not in tried]:
            tried |= {trial.key for trial in todo}
            self._run(todo, store, observe)
        return self.records(store)

    def _run(self, todo: list[Trial], store: Store, observe: Observer) -> None:
        with shared(self.task) as task:
            pool = Pool(min(self.workers, len(todo)), task, self.protocol.device)
            by_key = {trial.key: trial for trial in todo}
            with closing(pool.run(todo, lambda key: _checkpoint(store, key))) as told:
                for event in told:
                    _save(store, event, by_key, pool)
                    observe(by_key[event.key], event)

    def standing(self, store: Store) -> tuple[list[Trial], list[Trial]]:
        """Return every trial that the results so far ask for, in the order in which they start, and those still to run.

        One that failed is tried again.
        """
        known = list(self.trials) if self.tuning is None else self._known(_by_key(store))
        statuses = store.statuses([trial.key for trial in known])
        return known, [trial for trial in known if statuses.get(trial.key) not in ENDED]

    def unfinished(self, store: Store) -> list[Trial]:
        """Return the trials that still have to run."""
        return self.standing(store)[1]

    def records(self, store: Store) -> list[Record]:
        """Return the stored records of this study's trials, in its order and under its name and labels."""
        stored = _by_key(store)
        found = [trial for trial in self._known(stored) if trial.key in stored]
        return [replace(stored[trial.key], study=self.name, label=trial.arm.label) for trial in found]

    def _known(self, stored: Mapping[str, Record]) -> list[Trial]:
        return [*self.trials, *(self.tuning.known(stored) if self.tuning else [])]


def _by_key(store: Store) -> dict[str, Record]:
    return {record.key: record for record in store.records()}


def _checkpoint(store: Store, key: str) -> bytes | None:
    saved = store.checkpoint(key)
    return None if saved is None else saved[1]


def _save(store: Store, event: Event, trials: dict[str, Trial], pool: Pool) -> None:
    """Write what an event says; progress within an epoch is not kept."""
    match event:
        case Started(key):
            store.begin(trials[key].record(pool.environment))
        case EpochDone(key, epoch, rates, checkpoint):
            store.save_epoch(key, epoch, rates, checkpoint)
        case Finished(key, outcome):
            store.finish(key, outcome)
        case Diverged(key, reason):
            store.diverge(key, reason)
        case Failed(key, reason):
            if store.record(key) is None:
                store.begin(trials[key].record(pool.environment))
            store.fail(key, reason)
