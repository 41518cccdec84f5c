"""The local executor: worker processes that each run one trial at a time, and what they tell as one stream.

A worker that dies (killed, out of memory) is replaced and its trial goes on from its last epoch, twice at the most;
then the trial has failed and the others go on. One trial has one thread: on two cores two trials side by side finish
sooner than one after the other with two threads each, and the numbers do not depend on how many workers there are.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from typing import Any

import cloudpickle

from surefoot.comparison.events import Diverged, Event, Failed, Finished
from surefoot.comparison.sharing import Shared
from surefoot.comparison.trial import Trial
from surefoot.comparison.worker import work
from surefoot.errors import TrialError

RESTARTS = 2

Resume = Callable[[str], bytes | None]
"""Returns the last checkpoint of a trial's key."""


class Worker:
    """One worker process and the trial that it has."""

    def __init__(self, task: Shared, device: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, task, device), daemon=True)
        with _deaf_to_ctrl_c():
            self.process.start()
        theirs.close()
        self.trial: Trial | None = None

    def give(self, trial: Trial, checkpoint: bytes | None) -> None:
        """Hand over a trial; a worker that is gone is noticed when it is next heard."""
        self.trial = trial
        with contextlib.suppress(OSError):
            self.connection.send_bytes(cloudpickle.dumps((trial, checkpoint)))

    def stop(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.join()
        self.connection.close()


class Pool:
    """A fixed number of workers over one task.

    Args:
        size: how many workers.
        task: what is trained.
        device: `cpu`, `cuda` or `mps`.
    """

    def __init__(self, size: int, task: Shared, device: str) -> None:
        self._size, self._task, self._device = size, task, device
        self._workers: list[Worker] = []
        self.environment: dict[str, Any] = {}

    def run(self, trials: Sequence[Trial], resume: Resume) -> Generator[Event, None, None]:
        """Start the workers, run every trial, give their events as they come, stop the workers whatever ends it.

        Raises:
            TrialError: the workers cannot start.
        """
        waiting, deaths = deque(trials), Counter[str]()
        try:
            for _ in range(self._size):
                self._workers.append(Worker(self._task, self._device))
            unfinished = len(trials)
            while unfinished:
                for worker in self._heard():
                    for event in self._listen(worker, waiting, deaths, resume):
                        unfinished -= isinstance(event, Finished | Diverged | Failed)
                        yield event
        finally:
            self.stop()

    def stop(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.stop()
        self._workers = []

    def _heard(self) -> list[Worker]:
        by_connection: dict[Any, Worker] = {worker.connection: worker for worker in self._workers}
        return [by_connection[connection] for connection in wait(list(by_connection))]

    def _listen(self, worker: Worker, waiting: deque[Trial], deaths: Counter[str], resume: Resume) -> Iterator[Event]:
        """Take one message of a worker: it is ready, or cannot be, or its trial has an event, or it died."""
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._bury(worker, waiting, deaths)
            return
        if isinstance(message, TrialError):
            raise message
        if isinstance(message, dict):
            self.environment = message
        else:
            yield message
            if not isinstance(message, Finished | Diverged | Failed):
                return
        worker.trial = None
        if waiting:
            trial = waiting.popleft()
            worker.give(trial, resume(trial.key))

    def _bury(self, worker: Worker, waiting: deque[Trial], deaths: Counter[str]) -> Iterator[Event]:
        """Replace a worker that died; its trial waits again, or has failed if it took too many workers with it."""
        worker.stop()
        trial, code = worker.trial, worker.process.exitcode
        name = trial.key if trial else ""
        deaths[name] += 1
        if trial is None and deaths[name] > RESTARTS:
            raise TrialError(
                f"the worker processes die at their start (exit code {code}); see the message above, if any. "
                "-9 often means too little memory: try --workers 1."
            )
        self._workers.remove(worker)
        self._workers.append(Worker(self._task, self._device))
        if trial is not None and deaths[name] > RESTARTS:
            yield Failed(trial.key, f"its worker process died {deaths[name]} times (exit code {code})")
        elif trial is not None:
            waiting.appendleft(trial)


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back: a process started here inherits that, and so never hears what is the driver's to handle."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # which, if it has to start now, ends by letting Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
