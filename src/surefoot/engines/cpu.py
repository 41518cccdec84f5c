"""The CPU engine: the rule's generated kernels, all tensors of a step in one pass over memory and one native call.

It takes tensors in CPU memory, however they lie there as long as weights do not share memory. The kernel works on
memory that torch owns, so autograd is told of every tensor that it writes. Python may be interrupted between any two of
its lines, but never inside a call. So everything that a step writes, step counts included, is written by one call: it
has happened whole, or not at all.

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
from surefoot.engines.launch import Launch, Tables
from surefoot.engines.layout import addresses
from surefoot.engines.sums import Across, add_up, stages_of

SPLIT = 1 << 14
"""Weights in a step for each thread: fewer are done before another thread has noticed that there is work."""

PARTS = 32
"""Parts of a kernel's chunks for each thread: whoever is done first takes the next."""

SLICE = 0.005
"""Seconds that one thread may take for a step; longer ones are always shared, a slice more matters little there."""

SLOWER = 1.5
"""How many times as long as one thread a shared step may take."""

MOST = 16
"""How many times as long as a failure took no other is risked, at most."""

FORGET = 1.02
"""By how much the estimate of one thread's time grows in each step: caches and clocks change."""

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
    """Whether a small step is shared among threads, decided by what the last ones took.

    Threads that share a step wait for each other. Where other processes use the cores, that wait is a time slice of the
    system, several milliseconds, for what one thread does in a tenth of it. So a shared step that took longer than one
    thread would is followed by steps of one thread, at first for as long as it took and after each further failure for
    twice as long, up to `MOST` times. The numbers of a step do not depend on it.
    """

    def __init__(self) -> None:
        self._alone = math.inf
        """Seconds that one thread takes, at most."""
        self._rest, self._patience = 0.0, 1
        """Seconds of work until the next try, and how many times as long as it took the next failure counts."""

    @property
    def shared(self) -> bool:
        """Whether to share the next one; the first is done alone, to know what that takes."""
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
        """Start anew, each kernel with so many threads, unless one is faster now; nothing is written yet."""
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
        """Whether everything has been written; the native code notes it, so no interrupt can come in between."""
        return bool(self._list[ANSWER])


class NativeStep:
    """One step of some launches, and of the step counts and numbers that go with it, as one native call.

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
        """The new values of numbers that are kept for all tensors, for whoever keeps them; `begin` computes them."""
        self._launches, self._elsewhere = launches, [one for one in elsewhere if one.kernel.plan.numbers]
        self._stages = [_Stage(k, members, across) for k, members in stages_of(launches)]
        kept = [x for launch in (*launches, *self._elsewhere) for name in launch.kept for x in launch.numbers[name]]
        self._kept_at, self._kept = np.array(addresses(kept), np.int64), np.zeros(len(kept))
        store = words(STORE, 0, len(kept), place(self._kept_at), place(self._kept)) if kept else None
        self._numbered = any(one.kernel.plan.numbers for one in (*launches, *self._elsewhere))
        jobs = [KernelJob(kernel_address(one.kernel.text), one.tables()) for one in launches]
        self._work = Work(jobs, counts, store)

    def begin(self, values: Values) -> None:
        """Put the numbers of the coming step into the tables: sums over whole tensors, and products of matrices."""
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
    """One stage of sums or matrices of a step: the kernels of all launches that have it, as one native call."""

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
