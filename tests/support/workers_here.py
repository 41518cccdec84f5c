"""Workers that are no processes: what comes of a comparison is asked without importing torch once for each of them.

Everything but the process is as in `workers/local.py`: the pool hands out trials, the task and each trial come out of
their pickles, the same loop trains them in one thread, and what a trial raises is its failure. A trial is trained to
its end before the next begins, whatever the number of workers, as they would share torch's random numbers.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from unittest import mock

import torch

from give_back import stay_small
from surefoot.workers import executors
from surefoot.workers.shared_data import Shared, attached
from surefoot.workers.worker import Job, Message, TrialOrder, work


class WorkerHere:
    """Trains when it is waited for."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._orders: deque[TrialOrder] = deque()
        self.said: deque[Message] = deque()
        self.work()

    def work(self) -> None:
        """Take the orders there are; what is said is kept for `listen`."""
        with suppress(IndexError):  # no order is left
            work(self._job, self._orders.popleft, self.said.append)

    def work_if_ordered(self) -> None:
        if self._orders:
            self.work()

    def give(self, order: TrialOrder) -> None:
        self._orders.append(order)

    def listen(self) -> Message:
        return self.said.popleft()

    def stop(self) -> None:
        self.said.clear()


class Here:
    """This process as a place for workers; see `LocalHost`."""

    room = ""
    attempts = 1

    def __init__(self, task: Shared, device: str, memory: int | None = None) -> None:
        assert memory is None, "a limit of memory ends the process"
        self._job = Job(lambda: attached(task.file.fileno(), task.places), device, memory)

    def start(self) -> WorkerHere:
        return WorkerHere(self._job)

    def wait(self, workers: Sequence[WorkerHere], seconds: float) -> list[WorkerHere]:  # noqa: ARG002
        for worker in workers:
            worker.work_if_ordered()
        return [worker for worker in workers if worker.said]


@contextmanager
def here() -> Iterator[None]:
    """Have comparisons train in this process."""
    threads = torch.get_num_threads()
    stay_small()
    with mock.patch.object(executors, "LocalHost", Here):
        yield
    torch.set_num_threads(threads)
