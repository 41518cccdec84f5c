"""A study: plan its trials, run those that the store does not have finished yet, hand back the records.

The driver is the only writer to the store, and an epoch is written with its checkpoint in one transaction. So the same
command again goes on where it was, whatever ended it, and a finished trial is never trained twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from surefoot.compare.arm import Arm, parse_arms
from surefoot.compare.device import resolve_device, workers_for
from surefoot.compare.events import Diverged, EpochDone, Event, Failed, Finished, Started
from surefoot.compare.pool import Pool
from surefoot.compare.search import seeds
from surefoot.compare.sharing import shared
from surefoot.compare.studies import find_study
from surefoot.compare.trial import Trial
from surefoot.compare.tuned import TunedArms
from surefoot.datasets import Dataset, load
from surefoot.errors import UsageError
from surefoot.store import Record, Store
from surefoot.store.records import ENDED, Purpose

Observer = Callable[[Trial, Event], None]
"""Called with each event and its trial, after the event was stored."""


@dataclass(frozen=True)
class Options:
    """What a user can change about a study; None keeps the study's own.

    Attributes:
        optimizers: texts for `parse_arms`, added to the study's own (or instead of them, with `only`).
        epochs: how often each training image is seen.
        seeds: how many seeds, from 0.
        trials: how many configurations tune each optimizer; 0 does not tune.
        train_size: use only so many of the training images, the validation part included.
        workers: worker processes; as many as cores, if None.
        device: `auto`, `cpu`, `cuda` or `mps`.
        dataset: another data set for the same task.
        data_dir: folder that is searched for data first.
    """

    optimizers: tuple[str, ...] = ()
    only: bool = False
    epochs: int | None = None
    seeds: int | None = None
    trials: int | None = None
    train_size: int | None = None
    workers: int | None = None
    device: str = "auto"
    dataset: str | None = None
    data_dir: Path | None = None


@dataclass(frozen=True)
class Study:
    """A planned study: its trials in the order in which they start, the data that they train on, and its tuning.

    `trials` are those that are known from the start; what `tuning` adds follows from results.
    """

    name: str
    trials: tuple[Trial, ...]
    data: Dataset
    workers: int
    tuning: TunedArms | None = None

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
        with shared(self.data) as parts:
            pool = Pool(min(self.workers, len(todo)), parts, todo[0].device)
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


def plan(name: str, options: Options) -> Study:
    """Decide every trial of a study and load its data; nothing is trained yet.

    Raises:
        UsageError: unknown study, optimizer or option; sizes, epochs or seeds that cannot be.
        DataError: the data is missing or damaged.
    """
    study = find_study(name)
    texts = options.optimizers if options.only else study.optimizers + options.optimizers
    arms = parse_arms(texts, study.convention)
    if not arms:
        raise UsageError("no optimizer to compare: --only needs at least one -o.")
    _check_counts(options)
    device = resolve_device(options.device)
    data = load(options.dataset or study.dataset, options.data_dir)
    train, validation = _split(options.train_size, len(data.train_labels), study.validation)

    def make(arm: Arm, seed: int, purpose: Purpose = "measure") -> Trial:
        return Trial(
            study=name,
            task=study.task,
            dataset=data.name,
            arm=arm,
            seed=seed,
            epochs=options.epochs or study.epochs,
            batch_size=study.batch_size,
            train_size=train,
            validation_size=validation,
            test_size=len(data.test_labels),
            device=device,
            purpose=purpose,
        )

    measure, tune = seeds(options.seeds or study.seeds, 1)
    trials = tuple(make(arm, seed) for seed in measure for arm in arms)
    count = study.trials if options.trials is None else options.trials
    tuning = TunedArms(arms, count, measure, tune, make) if count else None
    return Study(name, trials, data, options.workers or workers_for(device), tuning)


def _check_counts(options: Options) -> None:
    for name, least in (("epochs", 1), ("seeds", 1), ("workers", 1), ("trials", 0)):
        value = getattr(options, name)
        if value is not None and value < least:
            raise UsageError(f"--{name} is {value}; give a whole number from {least}.")


def _split(asked: int | None, available: int, share: float) -> tuple[int, int]:
    """Return how many images train and how many validate: the last `share` of those in use, as Keras cuts it."""
    size = available if asked is None else asked
    train = int(size * (1 - share))
    if not 0 < train < size <= available:
        raise UsageError(f"--train-size is {size}; give a number from 2 to {available}, the training images there are.")
    return train, size - train


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
