"""The choice of where trials run, and the interface of what runs them.

The driver watches the time of a trial, its worker the memory: what the process has for itself alone, as the system
counts it. Arrays that all workers share are not in it, the libraries' own (about 0.3 GB with torch) are. A limit on
address space would be simpler and wrong: torch and CUDA reserve far more than they use.
"""

from __future__ import annotations

import importlib.util
import re
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from surefoot.design.trial import Trial
from surefoot.errors import Argument, UsageError, unknown
from surefoot.training.events import Event

LOOKS_SECONDS = 0.1

RUNNERS = ("local", "ray")

Resume = Callable[[str], bytes | None]
"""Returns the last checkpoint of a trial's key."""


@dataclass(frozen=True)
class Limits:
    """Limits of one trial, None for none: `seconds` of wall clock, `memory` in bytes."""

    seconds: float | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("trial_timeout", self.seconds), ("trial_memory", self.memory)):
            if value is not None and not value > 0:
                raise UsageError(f"{name} is {value}; give a number above 0.")
        if self.memory and importlib.util.find_spec("psutil") is None:
            raise UsageError("trial_memory needs the package psutil: pip install psutil.")


def watch_memory(limit: int, over: Callable[[str], None]) -> None:
    """Watch this process's memory. Above the limit, call `over` with the reason."""

    def look() -> None:
        while private_memory() <= limit:
            time.sleep(LOOKS_SECONDS)
        over(f"used more than {in_words(limit)} of memory")

    threading.Thread(target=look, daemon=True).start()


def private_memory() -> int:
    """Return the bytes that this process has for itself alone."""
    import psutil  # in extra `compare`; needed where memory is limited

    found = psutil.Process().memory_info()
    return int(found.rss - getattr(found, "shared", 0))  # where the system tells what is shared


def parse_bytes(text: str) -> int:
    """Return the bytes in `4GB`, `1.5 GB`, `500MB` or `2GiB`; `UsageError` for other text."""
    found = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?)(i?)b?\s*", text.lower())
    try:
        number, unit, binary = found.groups() if found else ("", "", "")
        return int(float(number) * (1024 if binary else 1000) ** (" kmgt".index(unit) if unit else 0))
    except ValueError:
        raise UsageError(f"{text!r} is no amount of memory; write it as 4GB or 500MB.") from None


def in_words(size: int) -> str:
    """Return a number of bytes as people say it: 1.5 GB."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size} bytes"


class Executor(Protocol):
    """Runs trials somewhere. Every one is held to `tests/workers/test_executors.py`."""

    def run(
        self, trials: Sequence[Trial], resume: Resume, deadline: float | None = None
    ) -> Generator[Event, None, None]:
        """Run every trial and yield its events. Each ends once: finished, diverged or failed.

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
    """Return the field of an option, with its default, help and metadata."""
    return field(default=default, metadata={"help": help, **more})


@dataclass(frozen=True)
class Runner:
    """The place where trials run, and the limits of each.

    Attributes:
        name: `local` or `ray`.
        address: of a Ray cluster, `auto` for the one that this machine belongs to; None starts one here.
        cpus_per_trial: cores that a trial takes on a Ray cluster.
        gpus_per_trial: GPUs that a trial takes on a Ray cluster; 0.25 lets four share one.
        trial_timeout: seconds after which a trial has failed.
        trial_memory: what a trial may use at most, such as `4GB`.
        checkpoints: a folder or a URL for them; None keeps them in the store.
    """

    name: str = option("local", "place where trials run: local, or ray for a Ray cluster.", flag="runner")
    address: str | None = option(None, "address of the Ray cluster; auto finds it.")
    cpus_per_trial: float = option(1.0, "cores that a trial takes on a Ray cluster.")
    gpus_per_trial: float = option(0.0, "GPUs that a trial takes on a Ray cluster; 0.25: four share one.")
    trial_timeout: float | None = option(None, "seconds after which a trial has failed.")
    trial_memory: str | None = option(None, "memory that a trial may use, such as 4GB.")
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
        """Time and memory that a trial may take."""
        return Limits(self.trial_timeout, parse_bytes(self.trial_memory) if self.trial_memory else None)
