"""A step as one native call: a list of jobs that generated code works off, alone or with torch's own threads.

Python may be interrupted between any two of its lines, but never inside a call. So everything that a step writes, step
counts included, is written by one call: it has happened whole, or not at all. The helpers are the OpenMP threads that
torch has loaded, which a backward pass leaves awake; OpenMP joins them before the call returns, so none goes on
writing. They take chunks from one counter, so a thread that the system holds up does not hold up its share.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from surefoot.engines.jobs import ANSWER, COUNT, KERNEL, LIST, PIECE, native, place, words
from surefoot.engines.launch import Tables
from surefoot.engines.pace import Pace
from surefoot.engines.places import Counts

PARTS = 32
"""Parts of a kernel's chunks for each thread: whoever is done first takes the next."""

clock = time.perf_counter


class Kernel:
    """The job of a kernel: to go through its chunks.

    Args:
        function: address of the kernel.
        tables: chunks, pointers, strides, scalars and keys, which stay in place from step to step.
    """

    def __init__(self, function: int, tables: Tables) -> None:
        self.tables = tables
        chunks, pointers, strides, scalars, keys = map(place, tables)
        n, (runs, columns), rows = len(tables.chunks), tables.pointers.shape, tables.scalars.shape
        self.words = words(KERNEL, 0, n, n, function, chunks, pointers, runs, columns, strides, scalars, *rows, keys)

    def divide(self, pieces: int) -> None:
        """Take the chunks in so many parts."""
        self.words[PIECE] = max(1, -(-int(self.words[2]) // pieces))


class Work:
    """Step counts and kernels that one native call works off.

    Args:
        kernels: in their order.
        counts: each goes up by one.
    """

    def __init__(self, kernels: Sequence[Kernel], counts: Counts) -> None:
        self.kernels, self._counts = kernels, counts
        self._pace = Pace()
        self.threads: list[int] = []
        """With how many threads each kernel goes."""
        table, seen = place(counts.table), place(counts.seen)
        self._count = words(COUNT, 0, len(counts.seen), table, seen)
        jobs = [self._count, *(kernel.words for kernel in kernels)]
        self._jobs = np.array([(place(each), 1) for each in jobs], np.int64)
        self._call, _, function = native()
        self._list = words(LIST, 0, len(jobs), place(self._jobs), function, parallel())
        self._at = place(self._list)

    def begin(self, threads: list[int]) -> None:
        """Start anew, each kernel with so many threads, unless one is faster now; nothing is written yet."""
        self._list[ANSWER] = 0
        if not self._pace.shared:
            threads = [1] * len(threads)
        if threads != self.threads:
            self.threads, self._jobs[1:, 1] = threads, threads
            for kernel, count in zip(self.kernels, threads, strict=True):
                kernel.divide(count * PARTS if count > 1 else 1)

    def run(self) -> None:
        """Do everything, unless it has been done."""
        if not self.done:
            start = clock()
            self._call(self._at)
            self._pace.took(max(self.threads, default=1), clock() - start)

    @property
    def done(self) -> bool:
        """Whether everything has been written; the native code notes it, so no interrupt can come in between."""
        return bool(self._list[ANSWER])


_PROCESS = os.getpid()


def parallel() -> int:
    """Return the address of OpenMP's `GOMP_parallel` as torch has loaded it; 0 if this process has no team.

    A forked child has none: OpenMP's threads do not survive a fork.
    """
    return _openmp() if os.getpid() == _PROCESS else 0


@functools.cache
def _openmp() -> int:
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    try:
        library = ctypes.CDLL(str(Path(str(torch.__file__)).parent / "lib" / f"libtorch_cpu{suffix}"))
        return ctypes.cast(library.GOMP_parallel, ctypes.c_void_p).value or 0
    except (OSError, AttributeError):  # this torch has other threads
        return 0
