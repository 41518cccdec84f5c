"""What native code is asked to do: jobs, each a row of numbers of 64 bits, worked off by one generated function.

A job says by its first number what it is; addresses and sizes follow. `team.py` makes the jobs that write, `places.py`
those that look. Python cannot interrupt a job.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch._C._dynamo import guards

from surefoot.engines.uninterrupted import load

KINDS = {torch.float32: 0, torch.float64: 1, torch.int64: 2, torch.int32: 3}
"""The kinds of step counts that generated code can read and add to."""

KERNEL, COUNT, COMPARE, FIND, SAME, LIST = range(6)
"""Kinds of jobs: go through a kernel's chunks; add to step counts; compare places and counts; find places; tell whether
objects are the same; a list."""

ANSWER, PIECE, OBJECTS = 1, 3, 3
"""Places in a job: what it has found, or whether it is done; chunks taken at a time; the objects to look at."""

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
    elif job[0] == 3:
        tensors, places = array_int64(job[3], 0, job[2]), array_int64(job[4], 0, job[2])
        distances = array_int64(job[6], 0, job[2])
        job[1] = 0
        for k in range(job[2]):
            place = address_of(job[5], tensors[k])
            distances[k] = place - places[k]
            job[1] += distances[k] != 0
            places[k] = place
    elif job[0] == 4:
        now, before = array_int64(job[3], 0, job[2]), array_int64(job[4], 0, job[2])
        job[1] = 0
        for k in range(job[2]):
            job[1] += now[k] != before[k]
    else:
        jobs = table_int64(job[3], job[2], 2)
        for k in range(job[2]):
            array_int64(jobs[k, 0], 1, 1)[0] = 0
            if jobs[k, 1] > 1:
                call(job[5], (job[4], jobs[k, 0], jobs[k, 1], 0))
            else:
                call(job[4], (jobs[k, 0],))
        job[1] = 1
'''


def kernel_address(text: str) -> int:
    """Return the address of a kernel; it is compiled, or found on disk, when its text is first seen."""
    kernels = load("surefoot.engines.kernels")
    found: int = kernels.address(kernels.compiled(text))
    return found


@functools.cache
def native() -> tuple[Callable[[int], None], Callable[[int], None], int]:
    """Return the function that does a job, without and with Python's lock, and its address."""
    kernels = load("surefoot.engines.kernels")
    at = kernels.address(kernels.compiled(_TEXT, _SIGNATURE))
    return ctypes.CFUNCTYPE(None, ctypes.c_int64)(at), ctypes.PYFUNCTYPE(None, ctypes.c_int64)(at), at


def words(*numbers: int) -> NDArray[np.int64]:
    """Return a job of these numbers."""
    return np.array([*numbers, *[0] * (_LENGTH - len(numbers))], np.int64)


def items(things: tuple[Any, ...]) -> int:
    """Return where a tuple has the addresses of its items, for as long as it lives: behind what every tuple has."""
    return id(things) + tuple.__basicsize__


def place(array: NDArray[Any]) -> int:
    """Return the address of an array's numbers."""
    found: int = array.__array_interface__["data"][0]
    return found
