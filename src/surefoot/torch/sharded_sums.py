"""Sums over tensors that are divided among processes, as DTensor and FSDP2 divide them.

A process adds up its shards; one call for each stage of sums, for all parameters together, adds up what all processes
have. Every process must step the same parameters, as they do in any such training.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from surefoot.mathops import Shards, shards_of
from surefoot.torch.state import is_sharded, whole_size


class ShardedSums:
    """Knows which parameters are divided among which processes; `across` is what engines call (`sums.Across`)."""

    def __init__(self) -> None:
        self._members: dict[tuple[Any, int], list[int]] = {}

    def add(self, number: int, p: Tensor) -> None:
        """Take in a parameter by its number, if it is divided."""
        for group in _groups(p):
            self._members.setdefault(group, []).append(number)

    @property
    def across(self) -> Callable[[NDArray[np.float64], NDArray[np.int64]], None] | None:
        """Adds up in place the sums of the parameters with these numbers; None if no parameter is divided."""
        return self._across if self._members else None

    def _across(self, sums: NDArray[np.float64], numbers: NDArray[np.int64]) -> None:
        for (mesh, dim), members in self._members.items():
            ours = np.isin(numbers, members)
            if ours.any():
                sums[ours] = _added(torch.from_numpy(sums[ours]), mesh, dim).numpy()


def whole(p: Tensor) -> AbstractContextManager[None]:
    """Let a rule on a shard sum over the whole parameter. Under autograd it sees the whole."""
    if not is_sharded(p) or torch.is_grad_enabled():
        return nullcontext()

    def add(x: Tensor) -> Tensor:
        for mesh, dim in _groups(p):
            x = _added(x, mesh, dim)
        return x

    return shards_of(Shards(whole_size(p), add))


def _groups(p: Any) -> list[tuple[Any, int]]:
    """Return the processes of a divided parameter: their mesh, and the mesh's dimensions."""
    return [(p.device_mesh, dim) for dim, placement in enumerate(p.placements) if not placement.is_replicate()]


def _added(x: Tensor, mesh: Any, dim: int) -> Tensor:
    """Return the sum over processes, where they are; float64."""
    there = x.to(mesh.device_type, copy=True)
    torch.distributed.all_reduce(there, group=mesh.get_group(dim))
    return there.to(x.device)
