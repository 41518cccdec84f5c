"""Workers as processes of this machine: how one is started, heard and stopped.

Not with multiprocessing's own processes: these run the user's script again, print a traceback when the driver dies
while they start, and hear Ctrl-C. Here a fresh Python inherits two open files, its end of a connection and the task,
and nothing else; it imports this package and nothing of the user's `__main__`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import wait
from multiprocessing.spawn import get_executable
from typing import IO, Any

from surefoot.errors import TrialError
from surefoot.workers.shared_data import Places, Shared, attached
from surefoot.workers.worker import Job, Message, TrialOrder, WorkerDied

if sys.platform == "win32":
    import msvcrt

START = "import sys; sys.path[:] = sys.argv[2:]; from surefoot.workers.worker import main; main(int(sys.argv[1]))"
EXIT_SECONDS = 1.0


@dataclass(frozen=True)
class FromFile:
    """Gets the task from a file that this process has inherited."""

    handle: int
    places: Places

    def __call__(self) -> Any:
        """Return the task."""
        return attached(_descriptor(self.handle), self.places)


class LocalWorker:
    """One worker process; see `LocalHost` for the arguments."""

    def __init__(self, task: Shared, device: str, memory: int | None) -> None:
        self.connection, theirs = Pipe()
        file = _handle(task.file)
        with theirs:
            self._process = _start(theirs.fileno(), file)
        self.give(Job(FromFile(file, task.places), device, memory))

    def give(self, message: Job | TrialOrder) -> None:
        """Hand over a trial. A lost worker is noticed when it is next heard."""
        with contextlib.suppress(OSError):
            self.connection.send(message)

    def listen(self) -> Message:
        """Return its next message. `WorkerDied` if the worker has ended."""
        with contextlib.suppress(EOFError, OSError):
            if self.alive or self.connection.poll():
                message: Message = self.connection.recv()
                return message
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_SECONDS)
        self.stop()
        raise WorkerDied(f"exit code {self._process.returncode}")

    @property
    def alive(self) -> bool:
        """Whether the process is running."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def stop(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.wait()
        self.connection.close()


class LocalHost:
    """This machine as a place for workers.

    Args:
        task: what is trained, for as long as workers are started.
        device: `cpu`, `cuda` or `mps`.
        memory: bytes that a trial may use.
    """

    room = "Try fewer workers."
    attempts = 3

    def __init__(self, task: Shared, device: str, memory: int | None = None) -> None:
        self._of_each = task, device, memory

    def start(self) -> LocalWorker:
        """Start a worker; `TrialError` if the system cannot."""
        try:
            return LocalWorker(*self._of_each)
        except OSError as error:
            raise TrialError(f"a worker process cannot be started: {error}; try fewer workers.") from error

    def wait(self, workers: Sequence[LocalWorker], seconds: float) -> list[LocalWorker]:
        """Wait until some of the workers have a message or are gone; return these."""
        ready = wait([worker.connection for worker in workers], seconds)
        return [worker for worker in workers if worker.connection in ready or not worker.alive]


def _start(*handles: int) -> subprocess.Popen[bytes]:
    """Start a process that inherits these open files, and never hears Ctrl-C."""
    command = [get_executable(), "-c", START, str(handles[0]), *(path for path in sys.path if isinstance(path, str))]
    if sys.platform == "win32":
        for handle in handles:
            os.set_handle_inheritable(handle, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": list(handles)})
        group = subprocess.CREATE_NEW_PROCESS_GROUP
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, startupinfo=startup, creationflags=group)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which the process inherits
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=handles)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _handle(file: IO[bytes]) -> int:
    """Return what a child process knows an inherited file by."""
    if sys.platform == "win32":
        return msvcrt.get_osfhandle(file.fileno())
    return file.fileno()


def _descriptor(handle: int) -> int:
    if sys.platform == "win32":
        return msvcrt.open_osfhandle(handle, os.O_RDONLY)
    return handle
