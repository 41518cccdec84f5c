"""The pool: workers that run one trial each, with one stream of events.

A worker that dies (killed, out of memory, its machine gone) is replaced and its trial goes on from its last epoch; a
trial that loses three workers within one epoch has failed and the others go on. One trial has one thread: on two cores
two trials side by side finish sooner than one after the other with two threads each, and the numbers do not depend on
how many workers there are. Where the workers live is the host's business.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import cloudpickle

from surefoot.design.trial import Trial
from surefoot.errors import TrialError
from surefoot.training.events import End, EpochDone, Event, Failed, Started
from surefoot.workers.runner import Resume
from surefoot.workers.worker import FinalFailure, Message, TrialOrder, WorkerDied, WorkerReady

RESTARTS = 2
START_SECONDS = 300.0
"""Seconds that the workers may take until the first one is ready."""

PAUSE_SECONDS = 0.5
"""Seconds by which each pause before a start grows, while workers die before they are ready."""

LOOK_SECONDS = 0.5
"""Seconds between looks at the clock while workers are silent."""


class Worker(Protocol):
    """One worker, wherever it runs."""

    def give(self, order: TrialOrder) -> None:
        """Hand over a trial. A lost worker is noticed when it is next heard."""
        ...

    def listen(self) -> Message:
        """Return its next message. `WorkerDied` if the worker has ended."""
        ...

    def stop(self) -> None:
        """End it at once."""
        ...


class Host(Protocol):
    """A place where workers run.

    `room` is what to do where there is no room for them; `attempts` how many may die in a row before one is ready.
    """

    @property
    def room(self) -> str: ...  # noqa: D102
    @property
    def attempts(self) -> int: ...  # noqa: D102

    def start(self) -> Worker:
        """Start a worker, and do not wait until it is ready."""
        ...

    def wait(self, workers: Sequence[Any], seconds: float) -> Sequence[Worker]:
        """Wait until some of the workers have a message or are gone; return these."""
        ...


@dataclass(eq=False)
class WorkerSlot:
    """One worker: its environment once it is ready, its current trial, and when that began."""

    worker: Worker
    environment: Mapping[str, Any] | None = None
    trial: Trial | None = None
    since: float = 0.0

    @property
    def idle(self) -> bool:
        """Whether it can take a trial."""
        return self.environment is not None and self.trial is None


@dataclass
class Queue:
    """The trials of one run: those waiting, the number not ended, and the workers that each has lost."""

    waiting: deque[Trial]
    left: int
    deaths: Counter[str] = field(default_factory=Counter)


class Pool:
    """The executor of both runners.

    Args:
        host: where the workers run.
        size: how many there are, at the most.
        seconds: how long a trial may take, from its first step on; and before that, until it begins.
    """

    def __init__(self, host: Host, size: int, seconds: float | None = None) -> None:
        self._host, self._size, self._seconds = host, size, seconds
        self._slots: list[WorkerSlot] = []
        self._early_deaths, self._start_at = 0, 0.0

    def run(
        self, trials: Sequence[Trial], resume: Resume, deadline: float | None = None
    ) -> Generator[Event, None, None]:
        """Run trials; see `Executor.run`. Idle workers stay for the next run."""
        queue = Queue(deque(trials), len(trials))
        self._ready_at = time.monotonic()
        try:
            while queue.left and (deadline is None or time.monotonic() < deadline):
                self._staff(queue, resume)
                for event in self._events(queue, deadline):
                    queue.left -= isinstance(event, End)
                    yield event
        finally:
            if queue.left:
                self.stop()

    def stop(self) -> None:
        """End all workers."""
        for slot in self._slots:
            slot.worker.stop()
        self._slots = []

    def _staff(self, queue: Queue, resume: Resume) -> None:
        """Start missing workers and give trials to idle ones."""
        while len(self._slots) < min(self._size, queue.left) and time.monotonic() >= self._start_at:
            self._slots.append(WorkerSlot(self._host.start()))
        for slot in self._slots:
            if slot.idle and queue.waiting:
                slot.trial, slot.since = queue.waiting.popleft(), time.monotonic()
                content = cloudpickle.dumps((slot.trial, resume(slot.trial.key)))
                slot.worker.give(TrialOrder(slot.trial.key, content))

    def _events(self, queue: Queue, deadline: float | None) -> Iterator[Event]:
        """Wait a moment, and give what has happened in it."""
        patience = LOOK_SECONDS if deadline is None else min(LOOK_SECONDS, max(0.0, deadline - time.monotonic()))
        by_worker = {slot.worker: slot for slot in self._slots}
        for worker in self._host.wait(list(by_worker), patience):
            yield from self._listen(by_worker[worker], queue)
        yield from self._late()
        self._check_start()

    def _listen(self, slot: WorkerSlot, queue: Queue) -> Iterator[Event]:
        """Take one message of a worker: it is ready, it failed to start, its trial has an event, or it died."""
        try:
            message = slot.worker.listen()
        except WorkerDied as death:
            yield from self._bury(slot, queue, str(death))
            return
        match message:
            case TrialError():
                raise message
            case WorkerReady(environment):
                slot.environment, self._early_deaths = environment, 0
            case FinalFailure(event):
                self._dismiss(slot)
                yield event
            case Started():
                slot.since = time.monotonic()
                yield replace(message, environment=slot.environment or {})
            case _:
                if isinstance(message, EpochDone):
                    queue.deaths.pop(message.key, None)
                elif isinstance(message, End):
                    slot.trial = None
                yield message

    def _bury(self, slot: WorkerSlot, queue: Queue, how: str) -> Iterator[Event]:
        """Requeue the trial of a dead worker. A trial that lost too many workers fails."""
        self._dismiss(slot)
        if slot.environment is None:
            self._early_death(how)
        if slot.trial is None:
            return
        key = slot.trial.key
        queue.deaths[key] += 1
        if queue.deaths[key] > RESTARTS:
            yield Failed(key, f"its worker process died {queue.deaths[key]} times ({how})")
        else:
            queue.waiting.appendleft(slot.trial)

    def _early_death(self, how: str) -> None:
        """Wait longer and longer before the next start, and give up after some."""
        self._early_deaths += 1
        self._start_at = time.monotonic() + PAUSE_SECONDS * self._early_deaths
        if self._early_deaths >= self._host.attempts:
            raise TrialError(
                f"the worker processes die at their start ({how}); see the message above, if any. "
                "-9 often means too little memory: try one worker."
            )

    def _late(self) -> Iterator[Event]:
        """Stop the trials that have had their time."""
        now = time.monotonic()
        for slot in list(self._slots):
            if self._seconds is not None and slot.trial is not None and now - slot.since > self._seconds:
                self._dismiss(slot)
                yield Failed(slot.trial.key, f"took longer than {self._seconds:g} s")

    def _dismiss(self, slot: WorkerSlot) -> None:
        self._slots.remove(slot)
        slot.worker.stop()

    def _check_start(self) -> None:
        """Raise `TrialError` if no worker has become ready in a long time."""
        if any(slot.environment is not None for slot in self._slots):
            self._ready_at = time.monotonic()
        elif time.monotonic() - self._ready_at > START_SECONDS:
            raise TrialError(f"no worker was ready to train within {START_SECONDS:g} s. {self._host.room}")
