"""The executor: what runs the trials of a plan, and the choice of one.

`local` has worker processes on this machine, `ray` has actors on a Ray cluster. Both are the same pool of workers over
another host, give the same events, and leave the store to the driver, who is its only writer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from surefoot.comparison.device import DEVICES, resolve_device, workers_for
from surefoot.comparison.events import Event
from surefoot.comparison.limits import Limits
from surefoot.comparison.trial import Trial
from surefoot.errors import UsageError, unknown
from surefoot.tasks import Task

ENGINES = ("local", "ray")

Resume = Callable[[str], bytes | None]
"""Returns the last checkpoint of a trial's key."""


class Executor(Protocol):
    """Runs trials somewhere. Every one is held to `tests/test_executors.py`."""

    def run(
        self, trials: Sequence[Trial], resume: Resume, deadline: float | None = None
    ) -> Generator[Event, None, None]:
        """Run every trial and give its events as they come; each ends once, finished, diverged or failed.

        When the iterator is closed, or an error ends it, whatever runs is stopped.

        Args:
            trials: in the order in which they start.
            resume: asked for a trial's last checkpoint when it starts, and again when it has to go on elsewhere.
            deadline: the instant of `time.monotonic()` at which what still runs is stopped, unfinished.

        Raises:
            TrialError: no trial can be run at all.
        """
        ...


@dataclass(frozen=True)
class Engine:
    """Where trials run, and what each may use.

    Attributes:
        name: `local` or `ray`.
        address: of a Ray cluster, `auto` for the one that this machine belongs to; None starts one here.
        cpus: cores that a trial takes on a Ray cluster.
        gpus: GPUs that a trial takes on a Ray cluster; 0.25 lets four share one.
        limits: time and memory of a trial.
        checkpoints: a folder or a URL for them; None keeps them in the store.
    """

    name: str = "local"
    address: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    limits: Limits = field(default_factory=Limits)
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise unknown("engine", self.name, ENGINES)
        if self.name != "ray" and (self.address is not None or self.gpus):
            raise UsageError("address and gpus-per-trial are for a Ray cluster: add --engine ray.")
        if self.cpus < 0 or self.gpus < 0:
            raise UsageError(f"a trial cannot take {self.cpus} cores and {self.gpus} GPUs; give numbers from 0.")


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
    from surefoot.comparison.ray_host import room

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
    from surefoot.comparison.pool import Pool

    with _host(engine, task, device) as host:
        pool = Pool(host, size, engine.limits.seconds)
        try:
            yield pool
        finally:
            pool.stop()


@contextmanager
def _host(engine: Engine, task: Task, device: str) -> Iterator[Any]:
    if engine.name == "ray":
        from surefoot.comparison.ray_host import ray_host

        with ray_host(engine, task, device) as host:
            yield host
        return
    from surefoot.comparison.local import LocalHost
    from surefoot.comparison.sharing import shared

    with shared(task) as given:
        yield LocalHost(given, device, engine.limits.memory)
