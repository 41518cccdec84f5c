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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._C._dynamo import guards

from surefoot.engines.launch import Tables
from surefoot.engines.uninterrupted import load

KINDS = {torch.float32: 0, torch.float64: 1, torch.int64: 2, torch.int32: 3}
"""The kinds of step counts that generated code can read and add to."""

_KERNEL, _COUNT, _COMPARE, _LIST = range(4)
"""Kinds of jobs: go through a kernel's chunks; add to step counts; compare places and counts; work off a list."""

_NEXT, _PIECE, _ANSWER = 1, 3, 1
"""Places in a job: the next chunk, how many are taken at a time; what a comparison finds, or whether a list is done."""

_LENGTH, _SIGNATURE = 14, "void(int64)"

ADDRESS_OF: int = getattr(guards, "_torchinductor_pyobject_tensor_data_ptr", 0)
"""The function by which code that torch.compile generates asks where a tensor lies; 0 if this torch has none."""

_TEXT = '''\
"""Do the job at an address: numbers of 64 bits, the first of which says what kind it is."""

from surefoot.engines.pointers import (
    address_of, array_float32, array_float64, array_int32, array_int64, call, table_float64, table_int64, take
)


def step(address):
    job = array_int64(address, 0, 14)
    if job[0] == 0:
        kernel, chunks = job[4], table_int64(job[5], job[2], 5)
        pointers, strides = table_int64(job[6], job[7], job[8]), table_int64(job[9], job[7], job[8])
        scalars, keys = table_float64(job[10], job[11], job[12]), array_int64(job[13], 0, job[7])
        first = take(address + 8, job[3])
        while first < job[2]:
            last = min(first + job[3], job[2])
            call(kernel, (chunks, pointers, strides, scalars, keys, first, last))
            first = take(address + 8, job[3])
    elif job[0] == 1:
        counts, seen = table_int64(job[3], job[2], 2), array_float64(job[4], 0, job[2])
        for k in range(job[2]):
            at, kind = counts[k]
            if kind == 0:
                array_float32(at, 0, 1)[0] += 1
            elif kind == 1:
                array_float64(at, 0, 1)[0] += 1
            elif kind == 2:
                array_int64(at, 0, 1)[0] += 1
            else:
                array_int32(at, 0, 1)[0] += 1
            seen[k] += 1
    elif job[0] == 2:
        tensors, places = array_int64(job[3], 0, job[2]), array_int64(job[4], 0, job[2])
        job[1] = 0
        for k in range(job[2]):
            job[1] += address_of(job[5], tensors[k]) != places[k]
        if job[1] == 0:
            counts, seen = table_int64(job[7], job[6], 2), array_float64(job[8], 0, job[6])
            for k in range(job[6]):
                at, kind = counts[k]
                if kind == 0:
                    job[1] += array_float32(at, 0, 1)[0] != seen[k]
                elif kind == 1:
                    job[1] += array_float64(at, 0, 1)[0] != seen[k]
                elif kind == 2:
                    job[1] += array_int64(at, 0, 1)[0] != seen[k]
                else:
                    job[1] += array_int32(at, 0, 1)[0] != seen[k]
    else:
        jobs = table_int64(job[3], job[2], 2)
        for k in range(job[2]):
            if jobs[k, 1] > 1:
                call(job[5], (job[4], jobs[k, 0], jobs[k, 1], 0))
            else:
                call(job[4], (jobs[k, 0],))
        job[1] = 1
'''


class Counts:
    """Step counts in CPU memory, of a kind in `KINDS`.

    Attributes:
        tensors: the counts.
        table: address and kind of each.
        seen: what each was when this was made, and one more for each step that native code has counted since.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tensors
        self.table = np.array([(x.data_ptr(), KINDS[x.dtype]) for x in tensors], np.int64).reshape(-1, 2)
        self.seen = np.array([float(x) for x in tensors], np.float64)


class Kernel:
    """The job of a kernel: to go through its chunks.

    Args:
        function: address of the kernel.
        tables: chunks, pointers, strides, scalars and keys, which stay in place from step to step.
    """

    def __init__(self, function: int, tables: Tables) -> None:
        self.tables = tables
        chunks, pointers, strides, scalars, keys = map(_place, tables)
        n, (runs, columns), rows = len(tables.chunks), tables.pointers.shape, tables.scalars.shape
        self.words = _words(_KERNEL, 0, n, n, function, chunks, pointers, runs, columns, strides, scalars, *rows, keys)

    def begin(self, pieces: int) -> None:
        """Go back to the first chunk; `pieces` is in how many parts the chunks are taken."""
        self.words[_NEXT], self.words[_PIECE] = 0, max(1, -(-int(self.words[2]) // pieces))


class Work:
    """Step counts and kernels that one native call works off.

    Args:
        kernels: in their order.
        counts: each goes up by one.
    """

    def __init__(self, kernels: Sequence[Kernel], counts: Counts) -> None:
        self.kernels, self._counts = kernels, counts
        table, seen = _place(counts.table), _place(counts.seen)
        self._count = _words(_COUNT, 0, len(counts.seen), table, seen)
        words = [self._count, *(kernel.words for kernel in kernels)]
        self._jobs = np.array([(_place(each), 1) for each in words], np.int64)
        self._call, _, function = _native()
        self._list = _words(_LIST, 0, len(words), _place(self._jobs), function, parallel())
        self._at = _place(self._list)

    def begin(self, threads: Sequence[int], parts: int) -> None:
        """Start anew, each kernel with so many threads, which take so many parts each; nothing is written yet."""
        self._list[_ANSWER] = 0
        self._jobs[1:, 1] = threads
        for kernel, count in zip(self.kernels, threads, strict=True):
            kernel.begin(count * parts if count > 1 else 1)

    def run(self) -> None:
        """Do everything, unless it has been done."""
        if not self.done:
            self._call(self._at)

    @property
    def done(self) -> bool:
        """Whether everything has been written; the native code notes it, so no interrupt can come in between."""
        return bool(self._list[_ANSWER])


class Places:
    """Where tensors lie, and what step counts say; `hold` tells whether nobody but native code has changed either.

    The tensors must be alive, and be plain memory, whenever that is asked.
    """

    def __init__(self, tensors: Sequence[Tensor], counts: Counts) -> None:
        self._tensors, self._counts = tensors, counts
        self._ids = np.array([*map(id, tensors)], np.int64)
        self._where = np.array([x.data_ptr() for x in tensors], np.int64)
        n, seen = len(tensors) if ADDRESS_OF else 0, counts.seen
        places = _place(self._ids), _place(self._where), ADDRESS_OF
        self._words = _words(_COMPARE, 0, n, *places, len(seen), _place(counts.table), _place(seen))
        self._compare, self._at = _native()[1], _place(self._words)

    def hold(self) -> bool:
        """Tell whether every tensor lies where it lay, and every count says what was seen."""
        if not ADDRESS_OF and [*map(Tensor.data_ptr, self._tensors)] != self._where.tolist():
            return False
        self._compare(self._at)
        return not self._words[_ANSWER]


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


def kernel_address(text: str) -> int:
    """Return the address of a kernel; it is compiled, or found on disk, when its text is first seen."""
    kernels = load("surefoot.engines.kernels")
    place: int = kernels.address(kernels.compiled(text))
    return place


@functools.cache
def _native() -> tuple[Callable[[int], None], Callable[[int], None], int]:
    """Return the function that does a job, without and with Python's lock, and its address."""
    kernels = load("surefoot.engines.kernels")
    at = kernels.address(kernels.compiled(_TEXT, _SIGNATURE))
    return ctypes.CFUNCTYPE(None, ctypes.c_int64)(at), ctypes.PYFUNCTYPE(None, ctypes.c_int64)(at), at


def _words(*numbers: int) -> NDArray[np.int64]:
    return np.array([*numbers, *[0] * (_LENGTH - len(numbers))], np.int64)


def _place(array: NDArray[Any]) -> int:
    place: int = array.__array_interface__["data"][0]
    return place
