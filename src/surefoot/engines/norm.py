"""The joint norm of gradients in one pass over memory, as clipping by norm needs it.

Squares are added in float64: in 64 lanes a chunk, one lane after the other, one chunk after the other. So the norm is
the same to the last bit for any number of threads. Gradients that are not dense memory of the CPU are torch's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surefoot.engines.cpu import KernelJob, Work, parallel
from surefoot.engines.fits import KINDS
from surefoot.engines.jobs import Counts, kernel_address
from surefoot.engines.launch_tables import CHUNK, Tables, chunks_of
from surefoot.engines.layout import is_dense

_READ = {
    "float32": ("array_float32", "float64({})"),
    "float64": ("array_float64", "{}"),
    "bfloat16": ("array_half", "float64(from_bfloat16({}))"),
    "float16": ("array_half", "float64(from_float16({}))"),
}
"""The way from a kind of number in memory to float64."""

_TEXT = '''\
"""Sum of squares of each chunk, in 64 lanes."""

from numba import float64
from numpy import empty

from surefoot.engines.pointers import {imports}


def step(chunks, pointers, strides, scalars, keys, first, last):
    lanes = empty(64, float64)
    for c in range(first, last):
        tensor, start, count, row, number = chunks[c]
        at_g = {array}(pointers[tensor, 0], start, count)
        whole = count // 64 * 64
        for j in range(64):
            lanes[j] = 0.0
        for i in range(0, whole, 64):
            for j in range(64):
                g = {number}
                lanes[j] += g * g
        for i in range(whole, count):
            j = 0
            g = {number}
            lanes[i - whole] += g * g
        total = 0.0
        for j in range(64):
            total += lanes[j]
        array_float64(keys[0], c, 1)[0] = total
'''


def fits(gradient: Tensor) -> bool:
    """Return whether a gradient is dense CPU memory of a supported kind."""
    if type(gradient) is not Tensor or gradient.device.type != "cpu" or gradient.dtype not in KINDS:
        return False
    return gradient.layout == torch.strided and is_dense(gradient)  # a sign yet to flip does not matter


class Norm:
    """The joint norm of gradients that `fits` allows, wherever they lie at the time."""

    def __init__(self, gradients: Sequence[Tensor]) -> None:
        kinds = [KINDS[g.dtype] for g in gradients]
        self._members = {kind: [k for k, each in enumerate(kinds) if each == kind] for kind in dict.fromkeys(kinds)}
        self._sums, kernels = [], []
        for kind, members in self._members.items():
            chunks = chunks_of([(gradients[k].numel(), 0, 0) for k in members])
            sums, pointers = np.zeros(len(chunks)), np.zeros((len(members), 1), np.int64)
            keys = np.array([sums.__array_interface__["data"][0]], np.int64)
            tables = Tables(chunks, pointers, np.ones_like(pointers), np.zeros((1, 0)), keys)
            kernels.append(KernelJob(kernel_address(_text(kind)), tables))
            self._sums.append(sums)
        self._work = Work(kernels, Counts([]))
        self._large = sum(g.numel() for g in gradients) >= 4 * CHUNK

    def at(self, addresses: NDArray[np.int64]) -> float:
        """Return the norm of the gradients at these addresses."""
        for kernel, members in zip(self._work.kernels, self._members.values(), strict=True):
            kernel.tables.pointers[:, 0] = addresses[members]
        threads = torch.get_num_threads() if self._large and parallel() else 1
        self._work.begin([threads] * len(self._members))
        self._work.run()
        return math.sqrt(math.fsum(float(sums.sum()) for sums in self._sums))


def _text(kind: str) -> str:
    array, number = _READ[kind]
    names = {"array_float64", array, *([f"from_{kind}"] if array == "array_half" else [])}
    return _TEXT.format(imports=", ".join(sorted(names)), array=array, number=number.format("at_g[i + j]"))
