"""All tensors that one kernel steps, as the tables it goes by: laid out once, and used for as long as they hold.

From step to step only the gradients' addresses change, and the numbers: a row of scalars for each setting and step
count, and the keys of random rounding. Everything else stays where it is.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surefoot.engines.choice import Kernel
from surefoot.engines.layout import Runs
from surefoot.engines.rounding import key

CHUNK = 1 << 14
"""Weights in a chunk: its arrays fit a core's first cache together with the next chunk's."""


class Tables(NamedTuple):
    """What a kernel is called with: see `compiler/emit/numba.py`."""

    chunks: NDArray[np.int64]
    pointers: NDArray[np.int64]
    strides: NDArray[np.int64]
    scalars: NDArray[np.float64]
    keys: NDArray[np.int64]


class Launch:
    """The tensors of one kernel.

    Args:
        kernel: which.
        seed: of random rounding.
    """

    def __init__(self, kernel: Kernel, seed: int) -> None:
        self.kernel, self.seed = kernel, seed
        self.rows: list[tuple[int, float]] = []
        self.written: list[Tensor] = []
        self._read: list[Tensor] = []  # gradients live until the kernel is done with them
        self._pointers: list[list[int]] = []
        self._strides: list[tuple[int, ...]] = []
        self._runs: list[tuple[int, int, int]] = []
        self._parameters: list[int] = []
        self._fixed: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None = None
        self.size = 0
        """Weights that the kernel steps."""

    def add(self, arrays: Mapping[str, Tensor], runs: Runs, group: int, t: float, parameter: int) -> slice:
        """Add a parameter that the kernel fits; parameters of one group with the same `t` share a row of scalars.

        Args:
            arrays: its arrays by the kernel's names.
            runs: where they lie, in the same order.
            group: the number of its setting.
            t: how many steps it has made, this one included.
            parameter: its number, from which its random numbers follow.

        Returns:
            its runs.
        """
        if (group, t) not in self.rows[-1:]:
            self.rows.append((group, t))
        first, row, names = len(self._runs), len(self.rows) - 1, [*arrays]
        columns = [names.index(name) for name in self.kernel.plan.arrays]
        for k, addresses in enumerate(runs.addresses):
            self._pointers.append([addresses[column] for column in columns])
            self._strides.append(tuple(runs.strides[column] for column in columns))
            self._runs.append((runs.length, row, k * runs.length))
            self._parameters.append(parameter)
        self.size += arrays["w"].numel()
        self._read.append(arrays["g"])
        self.written += [arrays[name] for name in self.kernel.plan.outputs]
        return slice(first, len(self._runs))

    def tables(self, values: Sequence[Mapping[str, Any]]) -> Tables:
        """Return the tables of this step; `values` are the hyperparameters of each group."""
        if self._fixed is None:
            shape = len(self._runs), len(self.kernel.plan.arrays)
            pointers, strides = (np.array(x, np.int64).reshape(shape) for x in (self._pointers, self._strides))
            self._fixed = _chunks(self._runs), pointers, strides
        scalars = [self.kernel.plan.host({**values[group], "t": t}) for group, t in self.rows]
        shape = len(scalars), len(self.kernel.plan.hoisted)
        return Tables(*self._fixed, np.array(scalars, np.float64).reshape(shape), self._keys())

    def _keys(self) -> NDArray[np.int64]:
        keys = np.zeros(len(self._runs), np.int64)
        if self.kernel.stochastic:
            steps = [self.rows[row][1] for _, row, _ in self._runs]
            keys[:] = [key(self.seed, k, int(t)) for k, t in zip(self._parameters, steps, strict=True)]
        return keys

    def next(self) -> None:
        """Go to the next step of every tensor."""
        self.rows = [(group, t + 1) for group, t in self.rows]

    def move(self, runs: slice, distance: int) -> None:
        """Tell that the gradient of a parameter, in these runs, lies so many bytes from where it lay."""
        arrays = self.kernel.plan.arrays
        if "g" in arrays and self._fixed is not None:
            self._fixed[1][runs, arrays.index("g")] += distance

    @functools.cached_property
    def overlaps(self) -> bool:
        """Whether weights of two parameters share memory, or lie between each other's."""
        column = self.kernel.plan.arrays.index("w")
        order = sorted(range(len(self._runs)), key=lambda run: self._pointers[run][column])
        starts = [self._pointers[run][column] for run in order]
        bytes_each = self.written[0].element_size()
        reach = [self._runs[run][0] * self._strides[run][column] * bytes_each for run in order]
        return any(start + far > after for start, far, after in zip(starts, reach, starts[1:], strict=False))

    def done(self) -> None:
        """Tell autograd what was written, and let go of the gradients, which whoever steps again looks up anew."""
        self._read.clear()
        torch.autograd.graph.increment_version(self.written)


def _chunks(runs: Sequence[tuple[int, int, int]]) -> NDArray[np.int64]:
    """Return tensor, first weight, number of weights, row of scalars and number of the first weight of each chunk."""
    chunks = [
        (run, start, min(CHUNK, length - start), row, number + start)
        for run, (length, row, number) in enumerate(runs)
        for start in range(0, length, CHUNK)
    ]
    return np.array(chunks, np.int64).reshape(-1, 5)
