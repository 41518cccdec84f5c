"""What a worker process sets once before it trains: its threads, and how malloc treats large blocks.

By default glibc hands each block of some megabytes back to the system when it is freed, so every activation of every
step is mapped, zeroed and faulted in again: 2,000 to 9,000 page faults a step for the article's model, a tenth of
the time of one process and more when two run side by side. Keeping the freed blocks ends that; the price is that the
process holds the memory of its largest step until it ends.
"""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h. The largest mapping threshold that glibc accepts is 32 MiB; the trim threshold is a C int.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_MMAP_THRESHOLD = 32 * 2**20
NEVER_TRIM = 2**31 - 1


def tune_worker(threads: int = 1) -> None:
    """Prepare this process for training on a CPU; call it once, at the start of a worker process.

    Args:
        threads: how many threads torch may use in this process, 1 or more. One in each of several processes does
            more work in the same time than several in one.
    """
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Tell malloc to keep and reuse large freed blocks; True where that works (glibc), elsewhere nothing happens."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD) and mallopt(M_TRIM_THRESHOLD, NEVER_TRIM))
