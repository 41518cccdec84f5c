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
from surefoot.workers.engine import Engine, Executor


def device_for(engine: Engine, name: str) -> str:
    """Return the device that trials run on: this machine's, or that of a cluster, which is not asked for it.

    Raises:
        UsageError: an unknown device, or one that this machine does not have.
    """
    if engine.name != "ray":
        return resolve_device(name)
    if name not in DEVICES:
        raise unknown("device", name, DEVICES)
    return ("cuda" if engine.gpus else "cpu") if name == "auto" else name


def capacity(engine: Engine, device: str) -> int:
    """Return how many trials can run at a time; `UsageError` if a cluster cannot be reached or has no room for one."""
    if engine.name != "ray":
        return workers_for(device)
    from surefoot.workers.ray_host import room

    return room(engine)


@contextmanager
def open_executor(engine: Engine, task: Task, device: str, size: int) -> Iterator[Executor]:
    """Give an executor for a task; all its workers end with the block.

    Args:
        engine: which one.
        task: what is trained.
        device: `cpu`, `cuda` or `mps`.
        size: how many trials run at a time, at the most.

    Raises:
        UsageError: the task cannot be sent to another process, or there is no such cluster.
    """
    from surefoot.workers.pool import Pool

    with _host(engine, task, device) as host:
        pool = Pool(host, size, engine.limits.seconds)
        try:
            yield pool
        finally:
            pool.stop()


@contextmanager
def _host(engine: Engine, task: Task, device: str) -> Iterator[Any]:
    if engine.name == "ray":
        from surefoot.workers.ray_host import ray_host

        with ray_host(engine, task, device) as host:
            yield host
        return
    from surefoot.workers.local import LocalHost
    from surefoot.workers.sharing import shared

    with shared(task) as given:
        yield LocalHost(given, device, engine.limits.memory)
