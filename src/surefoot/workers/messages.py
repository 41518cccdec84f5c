"""What a worker and its driver send each other; everything here is pickled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.errors import TrialError
from surefoot.training.events import Event, Failed


@dataclass(frozen=True)
class WorkerReady:
    """The worker waits for its first trial; `environment` is what it runs in."""

    environment: Mapping[str, Any]


@dataclass(frozen=True)
class FinalFailure:
    """The failure of a trial that is the end of its worker too."""

    event: Failed


@dataclass(frozen=True)
class TrialOrder:
    """A trial to run: its key, and the pickle of the trial and its checkpoint, which may need the user's code."""

    key: str
    content: bytes


Message = WorkerReady | Event | FinalFailure | TrialError
"""Anything that a worker sends."""


@dataclass(frozen=True)
class Job:
    """What a worker is there for: how to get the task, the device, and the memory that a trial may use."""

    attach: Callable[[], Any]
    device: str
    memory: int | None


class WorkerDied(Exception):  # noqa: N818  it is what happened, and nobody's error
    """A worker is gone; its text says how."""
