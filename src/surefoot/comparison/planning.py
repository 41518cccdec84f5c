"""From a study's name, or a task of the user's own, to the plan of a comparison: every decision before training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from surefoot.comparison.arm import Arm, parse_arms, without_twins
from surefoot.comparison.device import resolve_device, workers_for
from surefoot.comparison.plan import Plan
from surefoot.comparison.protocol import Protocol
from surefoot.comparison.schedule import check_schedule
from surefoot.comparison.search import seeds
from surefoot.comparison.studies import StudyPlan, find_study, study_of
from surefoot.comparison.trial import Trial
from surefoot.comparison.tuned import TunedArms
from surefoot.comparison.user_code import in_file
from surefoot.errors import UsageError
from surefoot.store.records import Purpose
from surefoot.tasks import Task, make_task


@dataclass(frozen=True)
class Options:
    """What a user can change about a study; None keeps the study's own.

    Attributes:
        optimizers: arms, or texts for `parse_arms`, added to the study's own (or instead of them, with `only`).
        epochs: how often each training example is seen.
        seeds: how many seeds, from 0.
        trials: how many configurations tune each optimizer; 0 does not tune.
        train_size: use only so many of the training images, the validation part included.
        batch_size: examples in a training step.
        schedule: of the learning rate: `constant`, `cosine` or `warmup-cosine`.
        workers: worker processes; as many as cores, if None.
        device: `auto`, `cpu`, `cuda` or `mps`.
        dataset: another data set for the same task.
        data_dir: folder that is searched for data first.
    """

    optimizers: tuple[str | Arm, ...] = ()
    only: bool = False
    epochs: int | None = None
    seeds: int | None = None
    trials: int | None = None
    train_size: int | None = None
    batch_size: int | None = None
    schedule: str | None = None
    workers: int | None = None
    device: str = "auto"
    dataset: str | None = None
    data_dir: Path | None = None


def plan(study: str | Task, options: Options) -> Plan:
    """Decide every trial of a study and load its data; nothing is trained yet.

    Args:
        study: the name of a built-in study, `FILE.py:NAME` of a task in a file, or a task.
        options: what the user changes about it.

    Raises:
        UsageError: unknown study, optimizer or option; sizes, epochs or seeds that cannot be.
        DataError: the data is missing or damaged.
    """
    described, task = _task(study, options)
    arms = _arms(described, options)
    _check_counts(options)
    protocol = _protocol(described, task, options)
    make = partial(_trial, described.name, protocol)
    measure, tune = seeds(options.seeds or described.seeds, 1)
    trials = tuple(make(arm, seed) for seed in measure for arm in arms)
    count = described.trials if options.trials is None else options.trials
    tuning = TunedArms(arms, count, measure, tune, make, task.metric.better) if count else None
    return Plan(described.name, trials, task, options.workers or workers_for(protocol.device), tuning)


def _task(study: str | Task, options: Options) -> tuple[StudyPlan, Task]:
    if isinstance(study, str) and ".py:" not in study:
        described = find_study(study)
        dataset = options.dataset or described.dataset
        size, share = options.train_size, described.validation
        return described, make_task(described.task, dataset, size=size, validation=share, data_dir=options.data_dir)
    if options.train_size or options.dataset:
        raise UsageError("--train-size and --dataset are for the built-in studies; this task brings its own data.")
    task = in_file(study) if isinstance(study, str) else study
    return study_of(task), task


def _arms(described: StudyPlan, options: Options) -> tuple[Arm, ...]:
    arms: list[Arm] = [] if options.only else list(parse_arms(described.optimizers, described.convention))
    for optimizer in options.optimizers:
        arms += [optimizer] if isinstance(optimizer, Arm) else parse_arms([optimizer], described.convention)
    if not arms:
        raise UsageError("no optimizer to compare: --only needs at least one -o.")
    return without_twins(arms)


def _protocol(described: StudyPlan, task: Task, options: Options) -> Protocol:
    data = task.data
    return Protocol(
        task=task.name,
        dataset=task.dataset,
        epochs=options.epochs or described.epochs,
        batch_size=options.batch_size or described.batch_size,
        train_size=len(data.train),
        validation_size=len(data.validation),
        test_size=len(data.test),
        device=resolve_device(options.device),
        schedule=check_schedule(options.schedule or described.schedule),
        drop_last=described.drop_last,
        order=described.order,
        metric=task.metric,
        fingerprint=task.fingerprint,
        chance=task.chance,
    )


def _trial(study: str, protocol: Protocol, arm: Arm, seed: int, purpose: Purpose = "measure") -> Trial:
    return Trial(study, arm, seed, protocol, purpose)


def _check_counts(options: Options) -> None:
    least = {"epochs": 1, "seeds": 1, "workers": 1, "trials": 0, "batch_size": 1}
    for name, value in ((name, getattr(options, name)) for name in least):
        if value is not None and value < least[name]:
            raise UsageError(f"--{name.replace('_', '-')} is {value}; give a whole number from {least[name]}.")
