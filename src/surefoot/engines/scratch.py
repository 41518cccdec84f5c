"""What kernels leave for products of matrices, and read again: memory that lives for one step alone.

A stage writes a matrix as its parameter lies. The products are of views of it, and what they make takes its place. So
nothing of the optimizer's is written before the last kernel runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from surefoot.bundle import Bundle
from surefoot.compiler.graph import Orthogonal
from surefoot.engines.layout import is_dense, memory_order
from surefoot.engines.matrices import lots_of
from surefoot.mathops import orthogonalize

_ALIGNED = 64
"""Matrices begin at a multiple of so many numbers."""


class Layout(NamedTuple):
    """How a parameter lies, and which matrices it is made of.

    Attributes:
        shape: of the parameter.
        strides: of the parameter.
        blocks: how many matrices of one height it is, one below the other.
        transposed: its columns are the matrices' rows.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    blocks: int
    transposed: bool

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of each matrix."""
        high = self.shape[self.transposed]
        return high // self.blocks, torch.Size(self.shape).numel() // high

    def matrices(self, memory: Tensor, start: int) -> Sequence[Tensor]:
        """Return the matrices where a parameter lies in memory from `start` on, their columns in any order."""
        x = memory.as_strided(self.shape, self.strides, start)
        x = x.transpose(0, 1) if self.transposed else x
        return x.permute(0, *(axis for axis in memory_order(x) if axis)).flatten(1).chunk(self.blocks)


def layout(weight: Tensor, blocks: int, *, transposed: bool) -> Layout | None:
    """Return a parameter's layout; None if its matrices are no views of memory that lies as it does."""
    flat = weight.dim() == 2 or (memory_order(weight)[0] == 0 and not transposed)
    if not weight.numel() or not flat or not is_dense(weight):
        return None
    return Layout(tuple(weight.shape), weight.stride(), blocks, transposed)


class Scratch:
    """The matrices of a launch, by the name of the kernel's array and the number of the parameter."""

    def __init__(self) -> None:
        self.kinds: dict[str, torch.dtype] = {}
        """The kind of number of each array."""
        self.layouts: list[Layout] = []
        self.starts: list[int] = []
        """How many numbers lie before each parameter."""
        self._size = 0
        self._memory: dict[str, Tensor] = {}

    def add(self, own: Layout) -> None:
        """Add a parameter."""
        self.layouts.append(own)
        self.starts.append(self._size)
        self._size += -(-torch.Size(own.shape).numel() // _ALIGNED) * _ALIGNED

    def borrow(self) -> Mapping[str, int]:
        """Take memory for a step; return the address of each array."""
        self._memory = {name: torch.empty(self._size, dtype=kind) for name, kind in self.kinds.items()}
        return {name: x.data_ptr() for name, x in self._memory.items()}

    def give_back(self) -> None:
        """Let go of the memory."""
        self._memory.clear()

    def orthogonalize(self, name: str, how: Orthogonal, eps: Sequence[float]) -> None:
        """Make every matrix of an array orthogonal, in its place; `eps` is a number for each parameter."""
        alike: dict[Any, list[Tensor]] = {}
        for own, start, small in zip(self.layouts, self.starts, eps, strict=True):
            for x in own.matrices(self._memory[name], start):
                alike.setdefault((*sorted(x.shape), float(small)), []).append(x)
        for (rows, columns, small), some in alike.items():
            for lot in lots_of(some, rows * columns):
                made = orthogonalize(Bundle(lot), how.coefficients, small, floor=how.floor, products=how.products)
                for x, new in zip(lot, made.members, strict=True):
                    x.copy_(new)
