"""Workers on a Ray cluster: each is an actor that streams its messages to the driver.

The task is put into Ray's object store once. An actor that dies, alone or with its node, ends its stream; the pool
replaces it, and Ray finds room for the new one. The actors end with the driver. Surefoot and the libraries that the
task imports have to be installed on every node; code of the user's own files travels along.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import numpy as np
import ray
from ray.exceptions import RayError

from surefoot.errors import Argument, UsageError
from surefoot.tasks import Trainable
from surefoot.workers.runner import Runner
from surefoot.workers.shared_data import pickled, unpickled
from surefoot.workers.worker import Job, Message, TrialOrder, WorkerDied, work


@dataclass(frozen=True)
class FromObjects:
    """Gets the task from Ray's object store."""

    parts: Any

    def __call__(self) -> Any:
        """Return the task. Its arrays are copies, since those in the object store are read-only."""
        return unpickled([memoryview(bytearray(part)) for part in ray.get(self.parts)])


class Actor:
    """A worker on the cluster: its thread, its inbox and its outbox.

    `paths` are where the driver finds modules; a node that shares its files finds them there too.
    """

    def __init__(self, job: Job, paths: Sequence[str]) -> None:
        sys.path += [path for path in paths if path not in sys.path]
        self._orders: SimpleQueue[TrialOrder] = SimpleQueue()
        self._messages: SimpleQueue[Message] = SimpleQueue()
        threading.Thread(target=work, args=(job, self._orders.get, self._messages.put), daemon=True).start()

    def give(self, order: TrialOrder) -> None:
        """Take a trial."""
        self._orders.put(order)

    def messages(self) -> Iterator[Message]:
        """Yield the worker's messages for ever."""
        while True:
            yield self._messages.get()


class RayWorker:
    """The driver's side of one actor, of a class `kind` of Ray's."""

    def __init__(self, kind: Any, job: Job) -> None:
        self._actor = kind.remote(job, [path for path in sys.path if isinstance(path, str)])
        self.messages = self._actor.messages.options(num_returns="streaming").remote()

    def give(self, order: TrialOrder) -> None:
        """Hand over a trial. A lost actor is noticed when it is next heard."""
        self._actor.give.remote(order)

    def listen(self) -> Message:
        """Return its next message. `WorkerDied` if the worker has ended."""
        try:
            message: Message = ray.get(next(self.messages))
        except (RayError, StopIteration) as error:
            self.stop()
            raise WorkerDied(_last_line(error)) from error
        return message

    def stop(self) -> None:
        """End it at once."""
        with contextlib.suppress(RayError):
            ray.kill(self._actor)


class RayHost:
    """A connected Ray cluster as a place for workers. Each takes the runner's resources."""

    attempts = 20  # an actor may be sent to a node that is gone, for as long as Ray has not noticed: half a minute

    def __init__(self, runner: Runner, job: Job) -> None:
        takes = {"num_cpus": runner.cpus_per_trial, "num_gpus": runner.gpus_per_trial}
        self._kind = ray.remote(Actor).options(**takes, max_concurrency=2, max_restarts=0)
        self._job = job
        self.room = f"The cluster may have no room left for {_words(runner)}: see `ray status`."

    def start(self) -> RayWorker:
        """Ask for an actor, and wait until there is room."""
        return RayWorker(self._kind, self._job)

    def wait(self, workers: Sequence[RayWorker], seconds: float) -> list[RayWorker]:
        """Wait until some of the workers have a message or are gone; return these."""
        by_stream = {worker.messages: worker for worker in workers}
        streams = list(by_stream)
        ready, _ = ray.wait(streams, num_returns=1, timeout=seconds, fetch_local=False)
        if ready:
            ready, _ = ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        return [by_stream[stream] for stream in ready]


def room(runner: Runner) -> int:
    """Connect to the cluster and return how many trials it can run at a time.

    Raises:
        UsageError: there is no cluster, or it is too small for one trial.
    """
    _connect(runner)
    has = ray.cluster_resources()
    takes = {"CPU": runner.cpus_per_trial, "GPU": runner.gpus_per_trial}
    fits = min((int(has.get(name, 0.0) / amount) for name, amount in takes.items() if amount), default=1)
    if fits < 1:
        found = f"{has.get('CPU', 0.0):g} cores and {has.get('GPU', 0.0):g} GPUs"
        raise UsageError(f"a trial takes {_words(runner)}, and the whole Ray cluster has {found}: give a trial less.")
    return fits


@contextmanager
def ray_host(runner: Runner, task: Trainable, device: str) -> Iterator[RayHost]:
    """Yield the cluster with the task on it."""
    _connect(runner)
    parts = ray.put([np.frombuffer(part, np.uint8) for part in pickled(task)])
    yield RayHost(runner, Job(FromObjects(parts), device, runner.limits.memory))


def _connect(runner: Runner) -> None:
    """Connect this process to the cluster, unless it is connected to one."""
    if ray.is_initialized():
        return
    if runner.address is not None and runner.address.startswith("ray://"):
        given = f"{runner.address} is Ray's client; run this on the cluster, with "
        raise UsageError(given, Argument("address"), " auto.")
    try:
        ray.init(address=runner.address or "local", log_to_driver=False, logging_level=logging.ERROR)
    except (RayError, ConnectionError, ValueError, RuntimeError) as error:
        where = f"at {runner.address}" if runner.address else "on this machine"
        raise UsageError(
            f"there is no Ray cluster {where}: {_last_line(error).rstrip('.')}; `ray start --head` starts one."
        ) from error


def _words(runner: Runner) -> str:
    return f"{runner.cpus_per_trial:g} cores and {runner.gpus_per_trial:g} GPUs"


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
