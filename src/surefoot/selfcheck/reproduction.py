"""Published runs repeated: the same pipeline as any comparison, with the data cut as it was in the publication.

There all training examples train, and the test examples are looked at after every epoch. Nothing is chosen here, so
they may stand in the place of the validation examples; an epoch's validation figures are then the published ones. The
batches have the same order in every epoch, as DeepOBS's had, by oversight: reshuffled, momentum on quadratic-deep ends
elsewhere.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from surefoot.arms.arm import parse_arms
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
"""How many of Fashion-MNIST's test images DeepOBS looks at: whole batches of 128."""


def published_task(name: str, data_dir: str | os.PathLike[str] | None = None) -> Task:
    """Return `quadratic-deep` or `fmnist-2c2d` with all examples for training, and those of the test for validation."""
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
    """Run a plan from its beginning, in a store of its own that is thrown away."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "results.sqlite") as store:
        return plan.run(store, observe)


def initial_loss(task: Task) -> float:
    """Return the mean loss of the test examples before the first step."""
    import torch

    with torch.no_grad():
        return float(task.measure(task.make_model(0).eval(), task.data.test.batch(slice(None)))[0])
