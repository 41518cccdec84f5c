"""A worker process: its settings before training, and its machine and versions.

By default glibc hands each block of some megabytes back to the system when it is freed, so every activation of every
step is mapped, zeroed and faulted in again: 2,000 to 9,000 page faults a step for the article's model, a tenth of
the time of one process and more when two run side by side. Keeping the freed blocks ends that; the price is that the
process holds the memory of its largest step until it ends.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer

import surefoot
from surefoot.machine import processor

# From glibc's malloc.h. The largest mapping threshold that glibc accepts is 32 MiB; the trim threshold is a C int.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 * 2**20
NEVER_TRIM = 2**31 - 1


def tune_worker() -> None:
    """Prepare this process for training on a CPU. Call it once, at the start of a worker.

    torch gets one thread: one in each of several processes does more work in the same time than several in one.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    load_compiler_late()


def keep_freed_memory() -> bool:
    """Let malloc reuse large freed blocks. Returns whether that works: with glibc it does."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD) and mallopt(M_TRIM_THRESHOLD, NEVER_TRIM))


_MARK = "__dynamo_disable"
"""The attribute in which torch keeps what it calls instead of a method that is never compiled."""


def load_compiler_late() -> None:
    """Make optimizers without loading torch's compiler, until something else loads it: 1.3 s and 146 MB of a process.

    torch marks these methods as not to be compiled when they are first called, and loads its compiler for that.
    """
    for method in (Optimizer.add_param_group, Optimizer.zero_grad, Optimizer.state_dict, Optimizer.load_state_dict):
        if (plain := getattr(method, "__wrapped__", None)) and not hasattr(plain, _MARK):
            setattr(plain, _MARK, _until_loaded(method, plain))


def _until_loaded(method: Callable[..., Any], plain: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        if "torch._dynamo" not in sys.modules:
            return plain(*given, **named)
        delattr(plain, _MARK)
        return method(*given, **named)  # which torch marks then

    return call


def environment(device: str) -> dict[str, Any]:
    """Return what a reader needs to judge or repeat a result: versions, processor, device, threads."""
    return {
        "surefoot": surefoot.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "threads": torch.get_num_threads(),
    }
