"""Executors: the device of a run, its trials at a time, and the executor of a runner.

`local` has worker processes on this machine, `ray` has actors on a Ray cluster. Both are the same pool of workers over
another host, give the same events, and leave the store to the driver, who is its only writer.
"""

from __future__ import annotations

import importlib.util
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from surefoot.errors import Argument, UsageError, unknown
from surefoot.machine import usable_cores
from surefoot.tasks import Trainable
from surefoot.workers.local import LocalHost
from surefoot.workers.pool import Host, Pool
from surefoot.workers.runner import Executor, Runner
from surefoot.workers.shared_data import shared

DEVICES = ("auto", "cpu", "cuda", "mps")


def device_for(runner: Runner, name: str) -> str:
    """Return the device of the trials: `cpu`, `cuda` or `mps`. `auto` takes a GPU where there is one.

    It is one of this machine's, or one of a cluster's nodes, which are not asked for it.

    Raises:
        UsageError: torch is not installed, an unknown device, or one that this machine does not have.
    """
    if name == "gpu":
        raise UsageError(Argument("device"), " is gpu; give cuda for a GPU of NVIDIA or AMD, mps for one of Apple.")
    if name not in DEVICES:
        raise unknown("device", name, DEVICES)
    if runner.name == "ray":
        return ("cuda" if runner.gpus_per_trial else "cpu") if name == "auto" else name
    if importlib.util.find_spec("torch") is None:
        raise UsageError("comparing trains with PyTorch, which is not installed: pip install 'surefoot[compare]'.")
    if name == "cpu" or (name == "auto" and not _may_have_gpu()):
        return "cpu"
    found = _gpu()
    if name != "auto" and name != found:
        raise UsageError(Argument("device"), f" is {name}: torch finds no such device here; use {found or 'cpu'}.")
    return found or "cpu"


def _may_have_gpu() -> bool:
    # Without loading torch, which takes a second: whether asking it is worth the while.
    return shutil.which("nvidia-smi") is not None or (platform.system(), platform.machine()) == ("Darwin", "arm64")


def _gpu() -> str | None:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def capacity(runner: Runner, device: str) -> int:
    """Return how many trials run at a time: one on a GPU, else one for each usable core.

    Raises:
        UsageError: a cluster cannot be reached, or has no room for a trial.
    """
    if runner.name == "ray":
        from surefoot.workers.ray_host import room

        return room(runner)
    if device != "cpu":
        return 1
    return usable_cores() or 1


@contextmanager
def open_executor(runner: Runner, task: Trainable, device: str, size: int) -> Iterator[Executor]:
    """Yield an executor for a task. Its workers end with the block.

    Args:
        runner: which one.
        task: what is trained.
        device: `cpu`, `cuda` or `mps`.
        size: how many trials run at a time, at the most.

    Raises:
        UsageError: the task cannot be sent to another process, or there is no such cluster.
    """
    with _host(runner, task, device) as host:
        pool = Pool(host, size, runner.limits.seconds)
        try:
            yield pool
        finally:
            pool.stop()


@contextmanager
def _host(runner: Runner, task: Trainable, device: str) -> Iterator[Host]:
    if runner.name == "ray":
        from surefoot.workers.ray_host import ray_host

        with ray_host(runner, task, device) as host:
            yield host
    else:
        with shared(task) as given:
            yield LocalHost(given, device, runner.limits.memory)
