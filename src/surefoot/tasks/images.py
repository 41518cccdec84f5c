"""The data of tasks on images: those that train first, then those that validate, as Keras cuts them, and the test."""

from __future__ import annotations

import os

import numpy as np

from surefoot.datasets import Dataset, load
from surefoot.errors import UsageError
from surefoot.store.protocol import Metric
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.builtin import BuiltIn
from surefoot.tasks.task import Splits

ACCURACY = Metric()


def image_task(
    name: str,
    module: str,
    dataset: str,
    *,
    size: int | None,
    validation: float,
    data_dir: str | os.PathLike[str] | None,
    metric: Metric = ACCURACY,
) -> BuiltIn:
    """A task on labelled images, judged by accuracy unless another metric is given.

    Args:
        name: of the task.
        module: see `BuiltIn`.
        dataset: a name that `surefoot.datasets.load` knows.
        size: how many of the training images are used, the validation part included; all, if None.
        validation: the share of them, at their end, that validates.
        data_dir: folder that is searched for data first.
        metric: what it is judged by.
    """
    data = load(dataset, data_dir)
    chance = _chance(data) if metric == ACCURACY else None
    return BuiltIn(name, module, data.name, image_splits(data, size, validation), metric, chance)


def image_splits(data: Dataset, size: int | None, validation: float) -> Splits:
    """Cut a data set; `UsageError` if a part would be empty."""
    available = len(data.train_labels)
    used = available if size is None else size
    train = int(used * (1 - validation))
    if not 0 < train < used <= available:
        raise UsageError(f"--train-size is {used}; give a number from 2 to {available}, the training images there are.")
    every = Arrays(data.train_images, data.train_labels)
    return Splits(every[:train], every[train:used], Arrays(data.test_images, data.test_labels))


def _chance(data: Dataset) -> float:
    """The accuracy of always guessing the most frequent class of the test images."""
    return float(np.bincount(data.test_labels).max() / len(data.test_labels))
