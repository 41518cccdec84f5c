"""Built-in tasks that bring their own data: an option that would change it is refused, not ignored."""

from __future__ import annotations

import os
from collections.abc import Callable

from surefoot.errors import Argument, UsageError
from surefoot.tasks.task import Task


def own_data(
    make: Callable[[], Task],
    dataset: str,
    *,
    size: int | None,
    validation: float,  # noqa: ARG001  these tasks are split by their authors
    data_dir: str | os.PathLike[str] | None,  # noqa: ARG001  nothing is looked for
) -> Task:
    """Make a task that has its own data.

    Args:
        make: makes it.
        dataset: has to be its own.
        size: has to be None.
        validation: of no effect.
        data_dir: of no effect.

    Raises:
        UsageError: another data set or a size is asked for.
    """
    task = make()
    if dataset != task.dataset or size is not None:
        given = (Argument("dataset"), " and ", Argument("train_size"), ".")
        raise UsageError(f"the task {task.name} brings its own data; leave out ", *given)
    return task
