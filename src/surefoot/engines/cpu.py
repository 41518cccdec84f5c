"""The CPU engine: generated kernels step all tensors in one pass and one native call.

It takes tensors in CPU memory, however they lie there as long as weights do not share memory. The kernel works on
memory that torch owns, so autograd is notified of every tensor that it writes. Python may be interrupted between any
two of its lines, but never inside a call. So everything that a step writes, step counts included, is written by one
call: it has happened whole, or not at all.

Large steps are split among as many threads as torch uses: the OpenMP threads that torch has loaded, which a backward
pass leaves awake; OpenMP joins them before the call returns, so none goes on writing. They take chunks from one
counter, so a thread that the system holds up does not hold up its share. Weights do not depend on each other, so the
split does not show in the numbers.
"""

from __future__ import annotations

import ctypes
import functools
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from surefoot.engines.jobs import (
    ANSWER,
    COUNT,
    KERNEL,
    LIST,
    PIECE,
    STORE,
    Counts,
    kernel_address,
    native,
    place,
    words,
)
from surefoot.engines.launch_tables import Launch, Tables
from surefoot.engines.layout import addresses
from surefoot.engines.sums import Across, add_up, stages_of

SPLIT = 1 << 14
"""The fewest weights for each thread of a step. Fewer are done before another thread wakes up."""

PARTS = 32
"""Parts of a kernel's chunks per thread. A free thread takes the next part."""

SLICE = 0.005
"""Seconds of a step up to which one thread may be best. Longer steps are always shared."""

SLOWER = 1.5
"""The factor over one thread's time at which a shared step counts as a failure."""

MOST = 16
"""The longest wait after a failure, in multiples of its time."""

FORGET = 1.02
"""The growth of one thread's estimated time per step. Caches and clocks change."""

clock = time.perf_counter


Values = Sequence[Mapping[str, Any]]
"""The hyperparameters of each group."""


class KernelJob:
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


class Pace:
    """The choice to share a small step among threads, from the times of the last steps.

    Threads that share a step wait for each other. Where other processes use the cores, that wait is a time slice of the
    system, several milliseconds, for what one thread does in a tenth of it. So a shared step that took longer than one
    thread would is followed by steps of one thread, at first for as long as it took and after each further failure for
    twice as long, up to `MOST` times. The numbers of a step do not depend on it.
    """

    def __init__(self) -> None:
        self._alone = math.inf
        """Seconds that one thread takes, at most."""
        self._rest, self._patience = 0.0, 1
        """Seconds of one-thread work until the next try, and the factor on the next failure's time."""

    @property
    def shared(self) -> bool:
        """Whether to share the next step. The first runs alone, to learn its time."""
        return self._rest <= 0 and self._alone < math.inf

    def took(self, threads: int, seconds: float) -> None:
        """Learn what the last one took, with so many threads."""
        before, self._alone = self._alone, min(self._alone * FORGET, seconds * threads)
        if threads == 1:
            self._rest -= seconds
        elif seconds > SLOWER * before and before < SLICE:
            self._rest, self._patience = seconds * self._patience, min(2 * self._patience, MOST)
        else:
            self._patience = max(1, self._patience // 2)


class Work:
    """Step counts, numbers and kernels that one native call works off.

    Args:
        kernels: in their order.
        counts: each goes up by one.
        numbers: a job that stores new values; None if there are none.
    """

    def __init__(self, kernels: Sequence[KernelJob], counts: Counts, numbers: NDArray[np.int64] | None = None) -> None:
        self.kernels, self._counts = kernels, counts
        self._pace = Pace()
        self.threads: list[int] = []
        """With how many threads each kernel goes."""
        table, seen = place(counts.table), place(counts.seen)
        self._count = words(COUNT, 0, len(counts.seen), table, seen)
        self._numbers = numbers
        jobs = [self._count, *(kernel.words for kernel in kernels), *([] if numbers is None else [numbers])]
        self._jobs = np.array([(place(each), 1) for each in jobs], np.int64)
        self._call, _, function = native()
        self._list = words(LIST, 0, len(jobs), place(self._jobs), function, parallel())
        self._at = place(self._list)

    def begin(self, threads: list[int]) -> None:
        """Start anew with this many threads per kernel, or one where that is faster. Nothing is written yet."""
        self._list[ANSWER] = 0
        if not self._pace.shared:
            threads = [1] * len(threads)
        if threads != self.threads:
            self.threads, self._jobs[1 : 1 + len(threads), 1] = threads, threads
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
        """Whether everything has been written. The native code notes it, so no interrupt comes between."""
        return bool(self._list[ANSWER])


class NativeStep:
    """One step of some launches, their step counts and numbers, as one native call.

    It serves again: `begin` takes the numbers of a step and writes nothing of the optimizer's, `run` does it.

    Args:
        launches: of the CPU's kernels.
        counts: the step counts, also of tensors that others step.
        elsewhere: launches that the GPU engine steps, before `run`; their numbers are written here.
        across: see `sums.Across`.
    """

    def __init__(
        self,
        launches: Sequence[Launch],
        counts: Counts,
        *,
        elsewhere: Sequence[Launch] = (),
        across: Across | None = None,
    ) -> None:
        self.counts = counts
        self.shared: dict[str, float] = {}
        """The new values of numbers for all tensors, computed by `begin` for the optimizer."""
        self._launches, self._elsewhere = launches, [one for one in elsewhere if one.kernel.plan.numbers]
        self._stages = [_Stage(k, members, across) for k, members in stages_of(launches)]
        kept = [x for launch in (*launches, *self._elsewhere) for name in launch.kept for x in launch.numbers[name]]
        self._kept_at, self._kept = np.array(addresses(kept), np.int64), np.zeros(len(kept))
        store = words(STORE, 0, len(kept), place(self._kept_at), place(self._kept)) if kept else None
        self._numbered = any(one.kernel.plan.numbers for one in (*launches, *self._elsewhere))
        jobs = [KernelJob(kernel_address(one.kernel.text), one.tables()) for one in launches]
        self._work = Work(jobs, counts, store)

    def begin(self, values: Values) -> None:
        """Put the numbers of the coming step into the tables, with sums over tensors and products of matrices."""
        for launch in self._launches:
            launch.borrow()
        for stage in self._stages:
            stage.add_up(values)
        for launch, kernel in zip(self._launches, self._work.kernels, strict=True):
            launch.fill(kernel.tables, values)
        for launch in self._elsewhere:
            launch.scalars(values)
        if self._numbered:
            self._take_numbers()
        self._work.begin([_threads(launch) for launch in self._launches])

    def _take_numbers(self) -> None:
        """Take what launches have computed for the next step."""
        self.shared, first = {}, 0
        for launch in (*self._launches, *self._elsewhere):
            for name in launch.kept:
                last = first + len(launch.new[name])
                self._kept[first:last], first = launch.new[name], last
            for name, new in launch.new.items():
                if name not in launch.numbers and len(new):
                    self.shared.setdefault(name, float(new[0]))

    def run(self) -> None:
        """Take the step, unless it has been taken."""
        self._work.run()

    @property
    def done(self) -> bool:
        """Whether the step has been taken."""
        return self._work.done


class _Stage:
    """One stage of a step's sums or matrices: the kernels of all launches that have it, as one native call."""

    def __init__(self, k: int, launches: Sequence[Launch], across: Across | None) -> None:
        self._k, self._launches, self._across = k, launches, across
        self._stages = [launch.before[k] for launch in launches]
        tables = [stage.tables() for stage in self._stages]
        sums = [len(stage.kernel.plan.sums) for stage in self._stages]
        self._chunks = [np.zeros((len(each.chunks), n)) for each, n in zip(tables, sums, strict=True)]
        for each, chunks in zip(tables, self._chunks, strict=True):
            each.keys[:1] = place(chunks)
        addresses_of = [kernel_address(stage.kernel.text) for stage in self._stages]
        self._work = Work([KernelJob(*each) for each in zip(addresses_of, tables, strict=True)], Counts([]))

    def add_up(self, values: Values) -> None:
        """Let the launches know their sums, and multiply their matrices."""
        for stage, kernel in zip(self._stages, self._work.kernels, strict=True):
            stage.fill(kernel.tables, values)
        self._work.begin([_threads(stage) for stage in self._stages])
        self._work.run()
        add_up(self._launches, self._k, self._chunks, self._across)
        for launch in self._launches:
            launch.multiply(self._k)


def _threads(launch: Launch) -> int:
    """Return how many threads step a launch: all that torch uses, or one.

    It is one for little work, and for weights that share memory, which move one after the other. OpenMP ends threads
    that a smaller team does not need, so there is nothing in between.
    """
    alone = launch.size < 2 * SPLIT or not parallel() or launch.overlaps
    return 1 if alone else torch.get_num_threads()


_PROCESS = os.getpid()


def parallel() -> int:
    """Return the address of torch's OpenMP `GOMP_parallel`; 0 in a process without threads.

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
