"""Where trials run, and what runs them: the choice that a user makes, and the interface behind it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from surefoot.design.trial import Trial
from surefoot.errors import Argument, UsageError, unknown
from surefoot.training.events import Event
from surefoot.workers.limits import Limits, parse_bytes

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


def option(default: Any, help: str, **more: Any) -> Any:
    """Return the field of an option: its default, what it is, and more that its readers know."""
    return field(default=default, metadata={"help": help, **more})


@dataclass(frozen=True)
class Runner:
    """Where trials run, and what each may use.

    Attributes:
        name: `local` or `ray`.
        address: of a Ray cluster, `auto` for the one that this machine belongs to; None starts one here.
        cpus_per_trial: cores that a trial takes on a Ray cluster.
        gpus_per_trial: GPUs that a trial takes on a Ray cluster; 0.25 lets four share one.
        trial_timeout: seconds after which a trial has failed.
        trial_memory: what a trial may use at most, such as `4GB`.
        checkpoints: a folder or a URL for them; None keeps them in the store.
    """

    name: str = option("local", "where trials run: local, or ray for a Ray cluster.", flag="runner")
    address: str | None = option(None, "of the Ray cluster: auto finds it.")
    cpus_per_trial: float = option(1.0, "cores that a trial takes on a Ray cluster.")
    gpus_per_trial: float = option(0.0, "GPUs that a trial takes on a Ray cluster; 0.25: four share one.")
    trial_timeout: float | None = option(None, "seconds after which a trial has failed.")
    trial_memory: str | None = option(None, "what a trial may use at most, such as 4GB.")
    checkpoints: str | None = option(None, "folder or URL (s3://...) for checkpoints; default: the store.")

    def __post_init__(self) -> None:
        if self.name not in RUNNERS:
            raise unknown("runner", self.name, RUNNERS)
        if self.name != "ray" and (self.address is not None or self.gpus_per_trial):
            raise UsageError(
                Argument("address"),
                " and ",
                Argument("gpus_per_trial"),
                " are for a Ray cluster, and ",
                Argument("runner"),
                f" is {self.name}; make it ray.",
            )
        if self.cpus_per_trial < 0 or self.gpus_per_trial < 0:
            takes = f"{self.cpus_per_trial} cores and {self.gpus_per_trial} GPUs"
            raise UsageError(f"a trial cannot take {takes}; give numbers from 0.")
        _ = self.limits

    @property
    def limits(self) -> Limits:
        """Time and memory of a trial; `UsageError` for a text that is no amount of memory."""
        return Limits(self.trial_timeout, parse_bytes(self.trial_memory) if self.trial_memory else None)
