"""What a worker and its driver say to each other; everything here is pickled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.errors import TrialError
from surefoot.training.events import Event, Failed


@dataclass(frozen=True)
class Ready:
    """The worker waits for its first trial; `environment` is what it runs in."""

    environment: Mapping[str, Any]


@dataclass(frozen=True)
class LastWords:
    """The end of a trial that is the end of its worker too."""

    event: Failed


@dataclass(frozen=True)
class Order:
    """A trial to run: its key, and the pickle of the trial and its checkpoint, which may need the user's code."""

    key: str
    content: bytes


Message = Ready | Event | LastWords | TrialError
"""Anything that a worker tells."""


@dataclass(frozen=True)
class Job:
    """What a worker is there for: how to get the task, the device, and the memory that a trial may use."""

    attach: Callable[[], Any]
    device: str
    memory: int | None


class WorkerDied(Exception):  # noqa: N818  it is what happened, and nobody's error
    """A worker is gone; its text says how."""
