"""Published runs repeated, and whether ours agree with them.

The pipeline is that of any comparison, with the data cut as in the publication: all training examples train, and the
test examples are evaluated after every epoch. Nothing is chosen here, so they may stand in the place of the validation
examples. The batches have the same order in every epoch, as DeepOBS's had, by oversight: reshuffled, momentum on
quadratic-deep ends elsewhere.

A figure agrees if the difference of the means lies within its Welch 99 % interval, so one in a hundred that truly agree
is marked as not. Where the logs' spread over seeds is not known, ours stands in its place.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan, sqrt
from pathlib import Path
from statistics import fmean, stdev

from scipy import stats

from surefoot.analysis.published import SEEDS, Publication, PublishedFigure
from surefoot.arms.arm_list import parse_arms
from surefoot.comparison.driver import Observer, Run
from surefoot.datasets import load
from surefoot.design.studies import find_study
from surefoot.design.trial import Trial
from surefoot.store import Design, Record, Store
from surefoot.store.design import Sizing
from surefoot.store.protocol import Protocol
from surefoot.tasks import Splits, Task
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.builtin import BuiltIn
from surefoot.tasks.models.quadratic import quadratic_task
from surefoot.workers.executors import capacity, device_for
from surefoot.workers.runner import Runner

TESTED = 9984
"""The test images of Fashion-MNIST that DeepOBS evaluates: whole batches of 128."""

LEVEL = 0.99


@dataclass(frozen=True)
class Agreement:
    """A published figure beside ours: mean and deviation over `n` seeds, and how far the means may differ.

    Mean, deviation and `margin` are NaN if a run of ours diverged.
    """

    figure: PublishedFigure
    mean: float
    deviation: float
    n: int
    margin: float

    @property
    def difference(self) -> float:
        """The mean of ours minus the published one."""
        return self.mean - self.figure.mean

    @property
    def holds(self) -> bool:
        """Whether the difference is no larger than chance makes it; not if a run of ours diverged."""
        return abs(self.difference) <= self.margin


def published_task(name: str, data_dir: str | os.PathLike[str] | None = None) -> Task:
    """Return `quadratic-deep` or `fmnist-2c2d`: all training examples train, the test examples validate."""
    if name == "quadratic-deep":
        quadratic = quadratic_task()
        return replace(quadratic, data=Splits(quadratic.data.train, quadratic.data.test, quadratic.data.test))
    data = load("fashion-mnist", data_dir)
    train, test = Arrays(data.train_images, data.train_labels), Arrays(data.test_images, data.test_labels)[:TESTED]
    return BuiltIn(name, "surefoot.tasks.models.fmnist_2c2d", data.name, Splits(train, test, test))


def reproduction(
    study: str, optimizers: Mapping[str, str], *, seeds: int, epochs: int, data_dir: Path | None = None
) -> Run:
    """Plan the runs that repeat published ones.

    Args:
        study: `quadratic-deep` or `fmnist-2c2d`.
        optimizers: texts for `parse_arms` in torch's convention, by the label of their results.
        seeds: runs of each optimizer, from 1.
        epochs: passes over the training examples.
        data_dir: folder that is searched for data first.
    """
    described, task = find_study(study), published_task(study, data_dir)
    protocol = Protocol(
        task=task.name,
        dataset=task.dataset,
        epochs=epochs,
        batch_size=described.batch_size,
        train_size=len(task.data.train),
        validation_size=len(task.data.validation),
        test_size=len(task.data.test),
        device=device_for(Runner(), "auto"),
        drop_last=True,
        order="frozen",
        metric=task.metric,
        fingerprint="as published",
    )
    arms = [replace(*parse_arms([text], "torch"), label=label) for label, text in optimizers.items()]
    trials = tuple(Trial(study, arm, seed, protocol) for seed in range(seeds) for arm in arms)
    design = Design("as published", study, protocol, tuple(arm.asked for arm in arms), Sizing(epochs, 0, seeds))
    return Run(design, trials, task, capacity(Runner(), protocol.device))


def run_apart(plan: Run, observe: Observer) -> list[Record]:
    """Run a plan from its beginning, in a store of its own that is deleted."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "results.sqlite") as store:
        return plan.run(store, observe)


def initial_loss(task: Task) -> float:
    """Return the mean loss of the test examples before the first step."""
    import torch

    with torch.no_grad():
        return float(task.measure(task.make_model(0).eval(), task.data.test.batch(slice(None)))[0])


def agreements(reference: Publication, records: Sequence[Record]) -> tuple[Agreement, ...]:
    """Put runs of ours beside every figure of a reference.

    Args:
        reference: what was published.
        records: at least two seeds of each optimizer, labelled as there, validated on the published test examples.
    """
    return tuple(
        agreement(figure, [_value(record, figure) for record in records if record.label == figure.optimizer])
        for figure in reference.figures
    )


def agreement(figure: PublishedFigure, values: Sequence[float]) -> Agreement:
    """Compare two or more values of ours, one a seed, with a published figure."""
    if not all(map(isfinite, values)):
        return Agreement(figure, nan, nan, len(values), nan)
    ours = stdev(values)
    theirs = ours if figure.deviation is None else figure.deviation
    return Agreement(figure, fmean(values), ours, len(values), _margin(ours, len(values), theirs, SEEDS))


def _margin(sd1: float, n1: int, sd2: float, n2: int) -> float:
    """Return the half-width of Welch's interval for the difference of two means."""
    a, b = sd1**2 / n1, sd2**2 / n2
    if a + b == 0:
        return 0.0
    freedom = (a + b) ** 2 / (a**2 / (n1 - 1) + b**2 / (n2 - 1))
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * sqrt(a + b)


def _value(record: Record, figure: PublishedFigure) -> float:
    """Return what a run of ours has for a figure; NaN if it did not get that far."""
    if figure.quantity == "train loss":
        return record.outcome.train_loss if record.outcome else nan
    done = [epoch.validation_metric for epoch in record.epochs if epoch.epoch == figure.epoch]
    return done[0] if done else nan
