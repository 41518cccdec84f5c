"""The tasks: what is trained. A task's module imports torch, so it is loaded only where training happens."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from surefoot.errors import unknown

if TYPE_CHECKING:
    from surefoot.tasks.task import Task

TASKS = {"article": "surefoot.tasks.article"}
"""The module of each built-in task; its `TASK` is the task."""


def find_task(name: str) -> Task:
    """Return a built-in task (imports torch); `UsageError` with the close matches if there is none of that name."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    task: Task = import_module(TASKS[name]).TASK
    return task
