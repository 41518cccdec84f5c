"""Which engine steps a tensor, and how it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from surefoot.engines import cpu
from surefoot.engines.launch import Launch

ENGINES = ("auto", "cpu", "eager")
"""What a user can ask for: the best there is, or one of them."""

_RUN = {"cpu": cpu.run}


def engine(wanted: str, device: torch.device) -> str:
    """Return which engine's kernels step tensors on a device; empty if the eager engine does.

    Args:
        wanted: one of `ENGINES`.
        device: of the tensors.
    """
    own = {"cpu": "cpu"}.get(device.type, "")
    return own if wanted in ("auto", own) else ""


def run(engine: str, launch: Launch, values: Sequence[Mapping[str, Any]]) -> None:
    """Step every tensor of a launch; `values` are the hyperparameters of each group."""
    _RUN[engine](launch, values)
