"""Which device trains, and how many trials run on it side by side."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil

from surefoot.errors import Argument, UsageError, unknown

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_device(name: str) -> str:
    """Return `cpu`, `cuda` or `mps`; `auto` takes a GPU where there is one.

    Raises:
        UsageError: torch is not installed, an unknown device, or one that this machine does not have.
    """
    if name not in DEVICES:
        raise unknown("device", name, DEVICES)
    if importlib.util.find_spec("torch") is None:
        raise UsageError("comparing trains with PyTorch, which is not installed: pip install 'surefoot[compare]'.")
    if name == "cpu" or (name == "auto" and not _may_have_gpu()):
        return "cpu"
    found = _gpu()
    if name != "auto" and name != found:
        raise UsageError(Argument("device"), f" is {name}: torch finds no such device here; use {found or 'cpu'}.")
    return found or "cpu"


def workers_for(device: str) -> int:
    """Return how many trials run at a time: one for each core that this process may use, or one on a GPU."""
    if device != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _may_have_gpu() -> bool:
    """Tell without loading torch, which takes a second, whether asking it is worth the while."""
    return shutil.which("nvidia-smi") is not None or (platform.system(), platform.machine()) == ("Darwin", "arm64")


def _gpu() -> str | None:
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None
