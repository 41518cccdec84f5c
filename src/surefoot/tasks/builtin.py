"""A built-in task: a module named by text, with `make_model` and `measure`, and data without a framework.

So a study is planned without loading torch; the module is imported by the process that trains. Tasks on images cut
their training images as Keras does: those that train first, then those that validate. Others bring their own data, and
an option that would change it is refused, not ignored.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from surefoot.datasets import Dataset, load
from surefoot.errors import Argument, UsageError
from surefoot.store.protocol import ACCURACY, Metric
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.task import Splits, Task

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class BuiltIn:
    """A built-in task; see `Task` for its attributes.

    `module` is the full name of a module with the functions `make_model(seed, *arguments)` and `measure(model, batch)`.
    """

    name: str
    module: str
    dataset: str
    data: Splits
    metric: Metric = field(default_factory=Metric)
    chance: float | None = None
    fingerprint: str = ""
    arguments: tuple[str, ...] = ()

    def make_model(self, seed: int) -> nn.Module:
        """Return the model with the initial weights of a seed."""
        model: nn.Module = import_module(self.module).make_model(seed, *self.arguments)
        return model

    def measure(self, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        """Return the mean loss and the mean metric of a batch."""
        measured: tuple[Tensor, Tensor] = import_module(self.module).measure(model, batch)
        return measured


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
    """Return a task on labelled images, judged by accuracy unless another metric is given.

    Args:
        name: of the task.
        module: see `BuiltIn`.
        dataset: a name that `surefoot.datasets.load` knows.
        size: how many of the training images are used, the validation part included; all, if None.
        validation: the share of them, at their end, that validates.
        data_dir: folder that is searched for data first.
        metric: what it is judged by.

    Raises:
        UsageError: a part of the data would be empty.
    """
    data = load(dataset, data_dir)
    # the accuracy of always guessing the most frequent class of the test images
    chance = float(np.bincount(data.test_labels).max() / len(data.test_labels)) if metric == ACCURACY else None
    return BuiltIn(name, module, data.name, _image_splits(data, size, validation), metric, chance)


def _image_splits(data: Dataset, size: int | None, validation: float) -> Splits:
    available = len(data.train_labels)
    used = available if size is None else size
    train = int(used * (1 - validation))
    if not 0 < train < used <= available:
        raise UsageError(
            Argument("train_size"), f" is {used}; give a number from 2 to {available}, the training images there are."
        )
    every = Arrays(data.train_images, data.train_labels)
    return Splits(every[:train], every[train:used], Arrays(data.test_images, data.test_labels))


def own_data(make: Callable[[], Task], dataset: str, *, size: int | None, **_: Any) -> Task:
    """Return the task that `make` makes, which fixes its data; `UsageError` if the user asks for others."""
    task = make()
    if dataset != task.dataset or size is not None:
        given = (Argument("dataset"), " and ", Argument("train_size"), ".")
        raise UsageError(f"the task {task.name} brings its own data; leave out ", *given)
    return task
