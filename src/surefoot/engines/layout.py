"""The memory layout of a parameter's arrays, as runs of neighbours for a kernel.

Weight, gradient and state have one shape and maybe different strides. Axes that all of them step through alike become
one; the innermost that remains is a run. A parameter that lies densely, in whatever order of its axes, is one run.
Weights are numbered in the order of memory: axis by axis, the one with the widest stride first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

MOST_RUNS = 1 << 16
"""A parameter in more pieces than this costs more in tables than a kernel saves."""


class Runs(NamedTuple):
    """Runs of equal length.

    Attributes:
        addresses: of the first number of each run, by run and array; bytes.
        strides: from a number of a run to the next, by array; in numbers.
        length: numbers in a run.
    """

    addresses: list[list[int]]
    strides: tuple[int, ...]
    length: int


def addresses(tensors: Sequence[Tensor]) -> list[int]:
    """Return where tensors lie."""
    return [*map(Tensor.data_ptr, tensors)]


def is_plain(x: Tensor) -> bool:
    """Return whether a tensor is the memory at its address: no subclass, not sparse, no pending sign."""
    return type(x) in (Tensor, torch.nn.Parameter) and x.layout == torch.strided and not x.is_neg()


def lies_like(a: Tensor, b: Tensor) -> bool:
    """Return whether equal indices have equal offsets. Axes of length one do not matter."""
    return a.shape == b.shape and all(n == 1 or i == j for n, i, j in zip(a.shape, a.stride(), b.stride(), strict=True))


def is_quick(x: Tensor, like: Tensor) -> bool:
    """Return whether an array is quick to read in another's order: by neighbours, or from one place."""
    return lies_like(x, like) or _axes([like, x])[-1][1][1] in (0, 1)


def is_dense(x: Tensor) -> bool:
    """Return whether an array fills one stretch of memory, in any order of its axes."""
    return x.is_contiguous() or x.permute(memory_order(x)).is_contiguous()


def is_apart(x: Tensor) -> bool:
    """Return whether every number of an array has its own memory, judged by its strides."""
    reach = 0
    for n, (stride,) in reversed(_axes([x])):
        if n > 1 and stride <= reach:
            return False
        reach += (n - 1) * stride
    return True


def find_runs(arrays: Sequence[Tensor]) -> Runs | None:
    """Return the runs of arrays of one shape, the weight first; None if there are too many."""
    if not arrays[0].numel():
        return Runs([], (1,) * len(arrays), 0)
    *outer, (length, strides) = _axes(arrays)
    if np.prod([n for n, _ in outer]) > MOST_RUNS:
        return None
    offsets = np.zeros((1, len(arrays)), np.int64)
    for n, steps in outer:
        offsets = (offsets[:, None] + np.arange(n)[:, None] * np.array(steps)).reshape(-1, len(arrays))
    start, size = [x.data_ptr() for x in arrays], [x.element_size() for x in arrays]
    return Runs((np.array(start) + offsets * np.array(size)).tolist(), tuple(strides), length)


def memory_order(x: Tensor) -> list[int]:
    """Return the axes in their order in memory, the widest stride first."""
    strides = x.stride()
    return sorted(range(x.dim()), key=lambda axis: -strides[axis])


def memory_numbers(x: Tensor) -> Tensor:
    """Return the number of each element in memory order, int64, of the shape of `x`.

    Axes are counted from the smallest stride up; of equal strides the last axis is the innermost. Where `x` fills its
    memory, the number is the distance from its start.
    """
    order = memory_order(x)
    numbers = torch.arange(x.numel(), device=x.device).view([x.shape[axis] for axis in order])
    return numbers.permute([order.index(axis) for axis in range(x.dim())])


def _axes(arrays: Sequence[Tensor]) -> list[tuple[int, list[int]]]:
    """Return length and strides of each axis after merging, the widest first."""
    shape, strides = arrays[0].shape, [x.stride() for x in arrays]
    found: list[tuple[int, list[int]]] = []
    for axis in (axis for axis in memory_order(arrays[0]) if shape[axis] != 1):
        n, steps = shape[axis], [stride[axis] for stride in strides]
        if found and all(wide == n * step for wide, step in zip(found[-1][1], steps, strict=True)):
            found[-1] = (found[-1][0] * n, steps)
        else:
            found.append((n, steps))
    return found or [(1, [1] * len(arrays))]
