"""Tables of addresses and scalars for one kernel launch, built once and reused each step.

From step to step only the gradients' addresses change, and the numbers: a row of scalars for each setting and step
count, or for each tensor where a rule needs its sums, its size or numbers kept for it, and the keys of random rounding.
Everything else stays where it is.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surefoot.compiler.graph import COLS, ROWS, SIZE
from surefoot.compiler.kernel_plan import scales
from surefoot.engines.fits import KINDS
from surefoot.engines.kernel_choice import Kernel
from surefoot.engines.layout import Runs
from surefoot.engines.rounding import key, key_before_steps
from surefoot.engines.scratch import Layout, Scratch

CHUNK = 1 << 14
"""Weights in a CPU chunk. The arrays of two chunks fit a core's first cache."""


class Tables(NamedTuple):
    """The arguments of a kernel: see `compiler/emit/numba.py`."""

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
        chunk: weights in a chunk.
        counted: step counts are tensors, which the device keeps and the host never reads.
    """

    def __init__(self, kernel: Kernel, seed: int, chunk: int = CHUNK, *, counted: bool = False) -> None:
        self.kernel, self.seed, self.chunk, self.counted = kernel, seed, chunk, counted
        self.rows: list[tuple[int, Any]] = []
        """Group and step count of each row of scalars."""
        self.skip: Tensor | None = None
        """Whether nothing may move in this step, as a number on the device that counts steps."""
        self.on_device: Any = None
        """The GPU engine's tables on the device."""
        self.written: list[Tensor] = []
        self._read: list[Tensor] = []  # gradients live until the kernel is done with them
        self._pointers: list[list[int]] = []
        self._strides: list[tuple[int, ...]] = []
        self._runs: list[tuple[int, int, int]] = []
        self._parameters: list[int] = []
        self._owners: list[int] = []
        self.parameters = 0
        """The number of parameters added."""
        self._fixed: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]] | None = None
        self.size = 0
        """Weights that the kernel steps."""
        self.before = [Launch(one, seed, chunk, counted=counted) for one in kernel.before]
        """The launches of the stages of sums that this one needs, of the same tensors."""
        self.sums: dict[str, Any] = {}
        """The known sums of this step by name: of each tensor in the order of `add`, or of all."""
        self.scratch = Scratch()
        """The arrays that the stages write for this step alone."""
        for stage in self.before:
            stage.sums, stage.scratch = self.sums, self.scratch
        self._borrowed: Mapping[str, int] = {}
        """The addresses of scratch that the pointers were made for."""
        self.numbers: dict[str, list[Tensor]] = {}
        """The float64 numbers of each tensor in their memory, by slot."""
        self.new: dict[str, NDArray[np.float64]] = {}
        """Their values, and those of shared numbers, after this step. Computed with the scalars."""
        self._whole: list[int] = []
        self._numbered: list[int] = []

    def add(
        self,
        arrays: Mapping[str, Tensor],
        runs: Runs,
        group: int,
        t: Any,
        parameter: int,
        offset: int = 0,
        *,
        size: int | None = None,
        numbers: Mapping[str, Tensor] = MappingProxyType({}),
        layout: Layout | None = None,
    ) -> None:
        """Add a parameter that fits the kernel. Parameters with the same group and `t` share a row of scalars.

        Where the rule needs a tensor's sums, size or numbers, each has a row of its own.

        Args:
            arrays: its arrays by the kernel's names.
            runs: where they lie, in the same order.
            group: the number of its setting.
            t: how many steps it has made, this one included; a number, or if they are counted a tensor of one.
            parameter: its number, from which its random numbers follow.
            offset: how many weights of it lie in the shards before this one.
            size: how many weights the whole tensor has, if this is a shard of it.
            numbers: the slots that are one number for it, by the kernel's names: float64 on the CPU, of no dimension.
            layout: the matrices that it is made of, if the rule multiplies them.
        """
        if layout is not None:
            self.scratch.add(layout)
        if self.by_row or numbers or self.counted or (group, t) not in self.rows[-1:]:
            self.rows.append((group, t))
        for stage in self.before:
            stage.add(arrays, runs, group, t, parameter, offset, size=size, numbers=numbers)  # scratch is shared
        self._device = arrays["w"].device
        self._whole.append(arrays["w"].numel() if size is None else size)
        self._numbered.append(parameter)
        for name, x in numbers.items():
            self.numbers.setdefault(name, []).append(x)
        row, names = len(self.rows) - 1, [*arrays, *self.kernel.plan.scratch]
        own, runs = self.kernel.plan.arrays, self._with_scratch(arrays["w"], runs)
        columns = [names.index(name) for name in (*own, *_scales(own, arrays))]
        for k, addresses in enumerate(runs.addresses):
            self._pointers.append([addresses[column] for column in columns])
            self._strides.append(tuple(runs.strides[column] for column in columns))
            self._runs.append((runs.length, row, offset + k * runs.length))
            self._parameters.append(parameter)
            self._owners.append(self.parameters)
        self.parameters += 1
        self.size += arrays["w"].numel()
        self._read.append(arrays["g"])
        outputs = [name for name in self.kernel.plan.outputs if name not in self.kernel.plan.scratch]
        self.written += [arrays[name] for name in (*outputs, *_scales(outputs, arrays))]

    def _with_scratch(self, w: Tensor, runs: Runs) -> Runs:
        """Return runs with the places of scratch, which lies as the weight does, in memory from address 0 on."""
        kinds = {name: getattr(torch, kind) for name, kind in self.kernel.plan.of_scratch(KINDS[w.dtype]).items()}
        if not kinds:
            return runs
        self.scratch.kinds |= kinds
        first, at, size = self.scratch.starts[-1], w.data_ptr(), w.element_size()
        places = [
            [*run, *((first + (run[0] - at) // size) * kind.itemsize for kind in kinds.values())]
            for run in runs.addresses
        ]
        return Runs(places, (*runs.strides, *runs.strides[:1] * len(kinds)), runs.length)

    def borrow(self) -> None:
        """Take memory for what the stages of the coming step write."""
        if self.scratch.layouts:
            at = self.scratch.borrow()
            for launch in (self, *self.before):
                launch._follow_scratch(at)

    def _follow_scratch(self, at: Mapping[str, int]) -> None:
        arrays = self.kernel.plan.arrays
        for name in self.kernel.plan.scratch:
            self.places()[1][:, arrays.index(name)] += at[name] - self._borrowed.get(name, 0)
        self._borrowed = at

    def multiply(self, k: int) -> None:
        """Put what products make of the matrices that stage `k` has written in their place."""
        stage = self.before[k]
        for name, opaque in stage.kernel.plan.opaque.items():
            self.scratch.orthogonalize(name, opaque.how, stage.new[opaque.eps].tolist())

    @property
    def kept(self) -> list[str]:
        """The numbers of each tensor that a step changes."""
        return [name for name in self.numbers if name in self.kernel.plan.numbers]

    @cached_property
    def by_row(self) -> bool:
        """Whether each tensor has its own row of scalars."""
        return self.kernel.plan.by_tensor

    def by_parameter(self, chunks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums over each parameter, a row for each, added up over its chunks in order."""
        each = [np.bincount(self._owner, weights=column, minlength=self.parameters) for column in chunks.T]
        return np.array(each, np.float64).reshape(chunks.shape[1], self.parameters).T.copy()

    @cached_property
    def _owner(self) -> NDArray[np.int64]:
        """Of each chunk the parameter that it is of, in the order of `add`."""
        return np.array(self._owners, np.int64)[self.places()[0][:, 0]]

    @cached_property
    def numbers_of(self) -> NDArray[np.int64]:
        """The number of each parameter, in the order of `add`."""
        return np.array(self._numbered, np.int64)

    @property
    def device(self) -> torch.device:
        """The device of the tensors."""
        return self._device

    def tables(self) -> Tables:
        """Return tables for all coming steps. `fill` puts a step's numbers into them."""
        places = self.places()
        shape = len(self.rows), len(self.kernel.plan.hoisted)
        return Tables(*places, np.zeros(shape, np.float64), np.zeros(len(self._runs), np.int64))

    def fill(self, tables: Tables, values: Sequence[Mapping[str, Any]]) -> None:
        """Put the numbers of this step into its tables. `values` are the hyperparameters of each group."""
        if self.rows:
            tables.scalars[:] = self._scalars(values)
        if self.kernel.stochastic:
            tables.keys[:] = self.keys()

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return chunks, pointers and strides; of these `follow` changes the pointers, in place."""
        if self._fixed is None:
            shape = len(self._runs), len(self._pointers[0]) if self._pointers else 0
            pointers, strides = (np.array(x, np.int64).reshape(shape) for x in (self._pointers, self._strides))
            self._fixed = chunks_of(self._runs, self.chunk), pointers, strides
        return self._fixed

    def scalars(self, values: Sequence[Mapping[str, Any]]) -> NDArray[np.float64]:
        """Return a row of scalars for each group and step count, or for each tensor."""
        scalars = self._scalars(values)
        return np.array(scalars, np.float64).reshape(len(scalars), len(self.kernel.plan.hoisted))

    def _scalars(self, values: Sequence[Mapping[str, Any]]) -> Any:
        plan = self.kernel.plan
        if not self.by_row and not plan.numbers:
            return [plan.host({**values[group], **self.sums, "t": t}) for group, t in self.rows]
        table = np.empty((len(self.rows), len(plan.hoisted)))
        kept = {name: np.array([x.value for x in each], np.float64) for name, each in self._views.items()}
        own = {**self.sums, SIZE: self._sizes, **self._sides, **kept}
        self.new = {name: np.empty(len(self.rows)) for name in plan.numbers}
        for members in self._alike:
            group, t = self.rows[members[0]]
            here = {name: x[members] if isinstance(x, np.ndarray) else x for name, x in own.items()}
            table[members], new = plan.host_rows({**values[group], **here, "t": t}, len(members))
            for name, x in new.items():
                self.new[name][members] = x
        return table

    @cached_property
    def _views(self) -> dict[str, list[ctypes.c_double]]:
        """The numbers of each tensor in their memory, as views that are fast to read and leave it resizable."""
        return {name: [ctypes.c_double.from_address(x.data_ptr()) for x in each] for name, each in self.numbers.items()}

    @cached_property
    def _alike(self) -> list[NDArray[np.int64]]:
        """The rows of each group and step count; those go up together."""
        found: dict[tuple[int, Any], list[int]] = {}
        for row, setting in enumerate(self.rows):
            found.setdefault(setting, []).append(row)
        return [np.array(rows, np.int64) for rows in found.values()]

    @cached_property
    def _sizes(self) -> NDArray[np.float64]:
        """The weights of each row's tensor; at least 1, as `mathops.size` has it."""
        return np.maximum(np.array(self._whole, np.float64), 1)

    @cached_property
    def _sides(self) -> dict[str, NDArray[np.float64]]:
        """The rows and columns of the matrices of each row's tensor, if the rule multiplies them."""
        sides = np.array([layout.sides for layout in self.scratch.layouts], np.float64).reshape(-1, 2)
        return dict(zip((ROWS, COLS), sides.T, strict=True)) if len(sides) else {}

    def keys(self) -> NDArray[np.int64]:
        """Return each run's key of random rounding, or, for counted steps, the input of `keys_at`."""
        keys = np.zeros(len(self._runs), np.int64)
        if not self.kernel.stochastic:
            return keys
        if self.counted:
            keys[:] = [key_before_steps(self.seed, k) for k in self._parameters]
        else:
            steps = [self.rows[row][1] for row in self.rows_of_runs()]
            keys[:] = [key(self.seed, k, int(t)) for k, t in zip(self._parameters, steps, strict=True)]
        return keys

    def rows_of_runs(self) -> NDArray[np.int64]:
        """Return the row of scalars of each run."""
        return np.array([row for _, row, _ in self._runs], np.int64)

    def next(self) -> None:
        """Go to the next step of every tensor. Counts on a device have advanced there."""
        if not self.counted:
            self.rows = [(group, t + 1) for group, t in self.rows]
        for launch in self.before:
            launch.next()

    def follow(self, distances: NDArray[np.int64]) -> None:
        """Follow the gradients, given each one's move in bytes in the order of `add`."""
        arrays = self.kernel.plan.arrays
        if "g" in arrays and self._runs:
            self.places()[1][:, arrays.index("g")] += distances[self._owners]
        for launch in self.before:
            launch.follow(distances)

    @cached_property
    def overlaps(self) -> bool:
        """Whether weights of two parameters share memory or interleave."""
        if not self.written:  # a stage of sums
            return False
        column = self.kernel.plan.arrays.index("w")
        order = sorted(range(len(self._runs)), key=lambda run: self._pointers[run][column])
        starts = [self._pointers[run][column] for run in order]
        bytes_each = self.written[0].element_size()
        reach = [self._runs[run][0] * self._strides[run][column] * bytes_each for run in order]
        return any(start + far > after for start, far, after in zip(starts, reach, starts[1:], strict=False))

    def done(self) -> None:
        """Let go of the gradients. The next step looks them up anew."""
        self._read.clear()
        self.scratch.give_back()
        for launch in self.before:
            launch.done()


def _scales(names: Sequence[str], arrays: Mapping[str, Tensor]) -> list[str]:
    """Return the scales of those of these arrays that are in 8 bits."""
    return [name for name in map(scales, names) if name in arrays]


def chunks_of(runs: Sequence[tuple[int, int, int]], chunk: int = CHUNK) -> NDArray[np.int64]:
    """Return for each chunk its tensor, first weight, size, row of scalars and number of its first weight."""
    length, row, number = np.array(runs, np.int64).reshape(-1, 3).T
    pieces = -(-length // chunk)
    run = np.repeat(np.arange(len(length)), pieces)
    start = (np.arange(len(run)) - (np.cumsum(pieces) - pieces)[run]) * chunk
    return np.stack([run, start, np.minimum(chunk, length[run] - start), row[run], number[run] + start], axis=1)
