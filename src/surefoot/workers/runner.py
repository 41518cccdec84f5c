"""Where trials run, and what runs them: the choice that a user makes, and the interface behind it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from surefoot.design.trial import Trial
from surefoot.errors import UsageError, unknown
from surefoot.training.events import Event
from surefoot.workers.limits import Limits

RUNNERS = ("local", "ray")

Resume = Callable[[str], bytes | None]
"""Returns the last checkpoint of a trial's key."""


class Executor(Protocol):
    """Runs trials somewhere. Every one is held to `tests/workers/test_executors.py`."""

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
class Runner:
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
        if self.name not in RUNNERS:
            raise unknown("runner", self.name, RUNNERS)
        if self.name != "ray" and (self.address is not None or self.gpus):
            raise UsageError("address and gpus-per-trial are for a Ray cluster: add --runner ray.")
        if self.cpus < 0 or self.gpus < 0:
            raise UsageError(f"a trial cannot take {self.cpus} cores and {self.gpus} GPUs; give numbers from 0.")
