"""A worker: takes one trial after another from the driver and reports what happens.

The same worker runs as a process of its own on this machine (`main`, which `local.py` starts) and in an actor of Ray's.
It ends with the driver, however the driver ends: a thread that does nothing but listen to the driver sees to that.
Ctrl-C is the driver's to handle. Nothing here writes to the store. What the two send each other is pickled.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

from surefoot.errors import TrialError
from surefoot.training.events import End, Event, Failed
from surefoot.workers.runner import watch_memory

FAREWELL_SECONDS = 1.0
"""Seconds that an ending worker gives its last message to reach the driver."""


@dataclass(frozen=True)
class WorkerReady:
    """The worker waits for its first trial. `environment` has its machine and versions."""

    environment: Mapping[str, Any]


@dataclass(frozen=True)
class FinalFailure:
    """The failure of a trial that is the end of its worker too."""

    event: Failed


@dataclass(frozen=True)
class TrialOrder:
    """An order to run a trial: its key, and a pickle of the trial and its checkpoint."""

    key: str
    content: bytes


Message = WorkerReady | Event | FinalFailure | TrialError
"""Anything that a worker sends."""


@dataclass(frozen=True)
class Job:
    """The job of a worker: the way to the task, the device, and the memory limit of a trial."""

    attach: Callable[[], Any]
    device: str
    memory: int | None


class WorkerDied(Exception):  # noqa: N818  it is what happened, and nobody's error
    """A worker is gone; its text says how."""


class Reporter:
    """Sends the events of the running trial from any thread, and nothing after its last event."""

    def __init__(self, send: Callable[[Message], None]) -> None:
        self._send, self._lock, self._key = send, threading.Lock(), ""

    def begin(self, key: str) -> None:
        """From now on it is this trial that runs."""
        with self._lock:
            self._key = key

    def report(self, event: Event) -> None:
        """Send an event of the running trial."""
        with self._lock:
            if isinstance(event, End):
                self._key = ""
            self._send(event)

    def end(self, reason: str) -> None:
        """End the process; the trial that it runs, if any, has failed for this reason."""
        with self._lock:
            if self._key:
                self._send(FinalFailure(Failed(self._key, reason)))
            time.sleep(FAREWELL_SECONDS)
            os._exit(1)


def work(job: Job, receive: Callable[[], TrialOrder], send: Callable[[Message], None]) -> None:
    """Run the trials that are received, for ever.

    Args:
        job: what is trained, and on what.
        receive: waits for the next trial.
        send: sends a message to the driver; called by one thread at a time.
    """
    try:
        environment, train = _prepare(job)
    except Exception as error:  # a library that does not load, say: no other worker would fare better
        send(TrialError(f"the worker processes cannot start: {_reason(error)}."))
        return
    reporter = Reporter(send)
    if job.memory is not None:
        watch_memory(job.memory, reporter.end)
    send(WorkerReady(environment))
    while True:
        order = receive()
        reporter.begin(order.key)
        try:
            train(*pickle.loads(order.content), reporter.report)
        except Exception as error:  # whatever it is, the other trials go on and the user reads it
            reporter.report(Failed(order.key, _reason(error)))


def main(handle: int) -> NoReturn:
    """Work in this process for the driver at the other end of an inherited connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout = sys.stderr  # what a user's model prints is no part of the driver's result
    ours, theirs = Pipe()  # for the kind of connection that this system has
    ours.close()
    theirs.close()
    connection = type(ours)(handle)
    received: SimpleQueue[Any] = SimpleQueue()

    def listen() -> None:
        while True:
            try:
                received.put(connection.recv())
            except (EOFError, OSError):  # the driver is gone
                os._exit(1)

    def send(message: Message) -> None:
        try:
            connection.send(message)
        except OSError:
            os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    work(received.get(), received.get, send)
    sys.exit()


def _prepare(job: Job) -> tuple[Mapping[str, Any], Callable[..., None]]:
    """Load torch, set the process up for one-thread training, and attach the task."""
    from surefoot.training.process import environment, tune_worker
    from surefoot.training.trial_kinds import training

    tune_worker()
    task = job.attach()

    def train(trial: Any, checkpoint: bytes | None, report: Callable[[Event], None]) -> None:
        training(trial, task, report).run(checkpoint)

    return environment(job.device), train


def _reason(error: Exception) -> str:
    if isinstance(error, TrialError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"
