"""The tasks: what is trained. Their models import torch, so a task names the module that makes them.

| file | concept |
| --- | --- |
| `task.py` | `Trainable`, what a comparison has to know, and `Task` with its `Splits` of data |
| `builtin.py` | a task of ours, described without loading torch |
| `custom.py` | a task from a user's own model, data, loss and metric |
| `user_metric.py` | which metric judges a user's task, and which others are shown |
| `metrics.py` | metrics of a whole split, which are no means over batches |
| `examine.py` | a user's task measured on a batch of each part, to find mistakes before training |
| `fingerprint.py` | the characters that change with a task |
| `arrays.py`, `examples.py`, `streams.py` | data in arrays, in torch's Datasets, and such as is read from its start |
| `seeds.py` | random numbers that come from a seed and leave no trace |
| `models/` | what the built-in tasks train |
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Protocol

from surefoot.errors import UsageError, unknown
from surefoot.store.protocol import LOSS
from surefoot.tasks.builtin import image_task, own_data
from surefoot.tasks.models.characters import character_task
from surefoot.tasks.models.quadratic import quadratic_task
from surefoot.tasks.models.surfaces import SURFACES, surface_task
from surefoot.tasks.task import Split, Splits, Task, Trainable

__all__ = ["TASKS", "Split", "Splits", "Task", "Trainable", "checked_task", "make_task"]


class Make(Protocol):
    """Makes a built-in task; see `image_task` for the arguments. `own_data` for tasks that are not on images."""

    def __call__(
        self, dataset: str, *, size: int | None, validation: float, data_dir: str | os.PathLike[str] | None
    ) -> Task: ...


TASKS: dict[str, Make] = {
    "article": partial(image_task, "article", "surefoot.tasks.models.fast_article"),
    "fmnist-2c2d": partial(image_task, "fmnist-2c2d", "surefoot.tasks.models.fmnist_2c2d"),
    "logreg-digits": partial(image_task, "logreg-digits", "surefoot.tasks.models.logreg_digits"),
    "mlp-mnist": partial(image_task, "mlp-mnist", "surefoot.tasks.models.mlp_mnist"),
    "vae-mnist": partial(image_task, "vae-mnist", "surefoot.tasks.models.vae_mnist", metric=LOSS),
    "char-lm": partial(own_data, character_task),
    "quadratic-deep": partial(own_data, quadratic_task),
    **{name: partial(own_data, partial(surface_task, name)) for name in SURFACES},
}
"""The makers of the built-in tasks, by name."""


def make_task(
    name: str, dataset: str, *, size: int | None, validation: float, data_dir: str | os.PathLike[str] | None = None
) -> Task:
    """Make a built-in task and load its data, without torch. Errors name close matches."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name](dataset, size=size, validation=validation, data_dir=data_dir)


def checked_task(given: Any) -> Task:
    """Return what was given; `UsageError` with what is missing if it is no task."""
    wanted = (name for name in dir(Task) if not name.startswith("_"))
    if missing := [name for name in wanted if not hasattr(given, name)]:
        raise UsageError(
            f"{given!r} is no task: it has no {', '.join(missing)}. Make one with surefoot.task(model=..., data=...)."
        )
    task: Task = given
    return task
