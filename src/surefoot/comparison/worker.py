"""A worker process: takes one trial after another from the driver and tells it what happens.

It ends with the driver, however the driver ends: a thread waits for that. Ctrl-C is the driver's to handle. Nothing
here writes to the store.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from surefoot.comparison.events import Failed
from surefoot.comparison.sharing import Shared
from surefoot.errors import TrialError


def work(connection: Connection, task: Shared, device: str) -> None:
    """Run trials until the driver closes the connection. `task` is what is trained."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_driver, daemon=True).start()
    try:
        environment, train = _prepare(task, device)
    except Exception as error:  # a library that does not load, say: no other worker would fare better
        connection.send(TrialError(f"the worker processes cannot start: {_reason(error)}."))
        return
    connection.send(environment)
    while True:
        try:
            trial, checkpoint = connection.recv()
        except (EOFError, OSError):  # the driver is gone
            return
        try:
            train(trial, checkpoint, connection.send)
        except Exception as error:  # whatever it is, the other trials go on and the user reads it
            connection.send(Failed(trial.key, _reason(error)))


def _prepare(task: Shared, device: str) -> Any:
    """Load torch, set the process up for one-thread training, and attach the task."""
    from surefoot.comparison.environment import environment
    from surefoot.comparison.sharing import Attached
    from surefoot.comparison.training import Training
    from surefoot.tasks.process import tune_worker

    tune_worker()
    attached = Attached(task)

    def train(trial: Any, checkpoint: bytes | None, emit: Any) -> None:
        Training(trial, attached.thing, emit).run(checkpoint)

    return environment(device), train


def _end_with_driver() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _reason(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(last.filename).name}, line {last.lineno})"
