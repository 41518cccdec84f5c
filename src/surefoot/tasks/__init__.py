"""The tasks: what is trained. Their models import torch, so a task names the module that makes them.

| file | concept |
| --- | --- |
| `task.py` | `Task`, what a comparison has to know, and its `Splits` of data |
| `custom.py` | a task from a user's own model, data, loss and metric |
| `arrays.py`, `examples.py` | data in arrays, data in torch's Datasets |
| `builtin.py` | a task of ours, described without loading torch |
| `own_data.py` | a task of ours that brings its own data |
| `images.py`, `pixels.py` | the data of tasks on images, as bytes and as numbers |
| `layers.py`, `metrics.py` | layers with weights from a generator; accuracy |
| `article.py`, `norm_pool.py`, `pooling.py` | the tutorial's CNN, and its fast ways on a CPU |
| `fmnist_2c2d.py` | DeepOBS's CNN, with published runs |
| `quadratic.py`, `quadratic_deep.py` | DeepOBS's stochastic quadratic: its data, its loss |
| `logreg_digits.py`, `mlp_mnist.py`, `vae_mnist.py` | small models of dense layers |
| `characters.py`, `char_lm.py` | a text cut into rows, a transformer that tells its next character |
| `surfaces.py`, `surface_point.py` | functions of two variables, the point that walks on them |
| `process.py` | what a worker process sets before it trains |
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any, Protocol

from surefoot.errors import UsageError, unknown
from surefoot.store.records import LOSS
from surefoot.tasks.characters import character_task
from surefoot.tasks.images import image_task
from surefoot.tasks.own_data import own_data
from surefoot.tasks.quadratic import quadratic_task
from surefoot.tasks.surfaces import SURFACES, surface_task
from surefoot.tasks.task import Split, Splits, Task

__all__ = ["TASKS", "Split", "Splits", "Task", "checked_task", "make_task"]


class Make(Protocol):
    """Makes a built-in task; see `image_task` for the arguments. `own_data` for tasks that are not on images."""

    def __call__(
        self, dataset: str, *, size: int | None, validation: float, data_dir: str | os.PathLike[str] | None
    ) -> Task: ...


TASKS: dict[str, Make] = {
    "article": partial(image_task, "article", "surefoot.tasks.article"),
    "fmnist-2c2d": partial(image_task, "fmnist-2c2d", "surefoot.tasks.fmnist_2c2d"),
    "logreg-digits": partial(image_task, "logreg-digits", "surefoot.tasks.logreg_digits"),
    "mlp-mnist": partial(image_task, "mlp-mnist", "surefoot.tasks.mlp_mnist"),
    "vae-mnist": partial(image_task, "vae-mnist", "surefoot.tasks.vae_mnist", metric=LOSS),
    "char-lm": partial(own_data, character_task),
    "quadratic-deep": partial(own_data, quadratic_task),
    **{name: partial(own_data, partial(surface_task, name)) for name in SURFACES},
}
"""How each built-in task is made."""


def make_task(
    name: str, dataset: str, *, size: int | None, validation: float, data_dir: str | os.PathLike[str] | None = None
) -> Task:
    """Make a built-in task and load its data, without torch; `UsageError` with the close matches for another name."""
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
