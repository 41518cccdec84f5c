"""The executor: what runs the trials of a plan, and the choice of one.

`local` has worker processes on this machine, `ray` has actors on a Ray cluster. Both are the same pool of workers over
another host, give the same events, and leave the store to the driver, who is its only writer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from surefoot.errors import unknown
from surefoot.tasks import Task
from surefoot.workers.device import DEVICES, resolve_device, workers_for
from surefoot.workers.runner import Executor, Runner


def device_for(runner: Runner, name: str) -> str:
    """Return the device that trials run on: this machine's, or that of a cluster, which is not asked for it.

    Raises:
        UsageError: an unknown device, or one that this machine does not have.
    """
    if runner.name != "ray":
        return resolve_device(name)
    if name not in DEVICES:
        raise unknown("device", name, DEVICES)
    return ("cuda" if runner.gpus_per_trial else "cpu") if name == "auto" else name


def capacity(runner: Runner, device: str) -> int:
    """Return how many trials can run at a time; `UsageError` if a cluster cannot be reached or has no room for one."""
    if runner.name != "ray":
        return workers_for(device)
    from surefoot.workers.ray_host import room

    return room(runner)


@contextmanager
def open_executor(runner: Runner, task: Task, device: str, size: int) -> Iterator[Executor]:
    """Give an executor for a task; all its workers end with the block.

    Args:
        runner: which one.
        task: what is trained.
        device: `cpu`, `cuda` or `mps`.
        size: how many trials run at a time, at the most.

    Raises:
        UsageError: the task cannot be sent to another process, or there is no such cluster.
    """
    from surefoot.workers.pool import Pool

    with _host(runner, task, device) as host:
        pool = Pool(host, size, runner.limits.seconds)
        try:
            yield pool
        finally:
            pool.stop()


@contextmanager
def _host(runner: Runner, task: Task, device: str) -> Iterator[Any]:
    if runner.name == "ray":
        from surefoot.workers.ray_host import ray_host

        with ray_host(runner, task, device) as host:
            yield host
        return
    from surefoot.workers.local import LocalHost
    from surefoot.workers.sharing import shared

    with shared(task) as given:
        yield LocalHost(given, device, runner.limits.memory)
