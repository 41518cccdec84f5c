"""Matrices divided among processes by DTensor or FSDP2: the rule sees them whole.

What a rule makes of one shard by itself is another step: orthogonalized apart, the halves of a matrix are far from what
the whole is. So one process, the owner, gathers the shards, steps the matrix and sends each process its own; owners
take turns, so that the work is shared. Where a matrix is divided otherwise than by rows in one line of processes, each
gathers it, and all compute the same.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch import distributed as dist

from surefoot.engines.eager import TensorPart, Write
from surefoot.rule import Rule
from surefoot.torch.state import decoded, is_sharded


class Line(NamedTuple):
    """The processes that have a matrix's rows, in this order, and the owner among them."""

    group: Any
    owner: int

    @property
    def size(self) -> int:
        """The number of processes."""
        return int(self.group.size())

    @property
    def owned(self) -> bool:
        """Whether this process is the owner."""
        return bool(self.group.rank() == self.owner)

    @property
    def source(self) -> int:
        """The owner's number among all processes."""
        return dist.get_global_rank(self.group, self.owner)


class ShardedMatrix:
    """A matrix of which this process has a shard.

    Args:
        p: the parameter.
        part: its step, as this process has it.
        rule: which rule.
        turn: whose turn it is to own a matrix; None: every process gathers it.
    """

    def __init__(self, p: Any, part: TensorPart, rule: Rule, turn: int | None) -> None:
        self._p, self._part = p, part
        self._wide = [slot for slot in part.state if slot in rule.each_weight]
        self._line = None if turn is None else _line(p, turn)
        self.whole = self._gathered()
        """The step of the whole matrix, in its own memory; None in processes that do not own it."""

    def _gathered(self) -> TensorPart | None:
        weight, gradient = self._collected(self._part.weight), self._collected(self._part.gradient)
        state: dict[str, Any] = {slot: decoded(x).clone() for slot, x in self._part.state.items()}  # none in 8 bits
        state |= {slot: self._collected(decoded(self._part.state[slot])) for slot in self._wide}
        if weight is None or gradient is None:
            return None
        return self._part._replace(weight=weight, gradient=gradient, state=state, offset=0)

    def back(self) -> list[Write]:
        """Return what writes the new numbers of the whole into what this process keeps."""
        found: list[Write] = [
            partial(self._part.weight.copy_, self._sent(self.whole and self.whole.weight, self._part.weight))
        ]
        for slot, kept in self._part.state.items():
            here, new = decoded(kept), self.whole and decoded(self.whole.state[slot])
            found.append(partial(here.copy_, (self._sent if slot in self._wide else self._told)(new, here)))
        return found

    def mine(self, whole: Tensor) -> Tensor:
        """Return this process's shard of what all have whole."""
        from torch.distributed.tensor import DTensor, Replicate  # who has shards has loaded it

        mesh = self._p.device_mesh
        everywhere = DTensor.from_local(whole, mesh, [Replicate()] * mesh.ndim, run_check=False)
        here: Tensor = everywhere.redistribute(placements=self._p.placements).to_local()
        return here

    def _collected(self, shard: Tensor) -> Tensor | None:
        """Return the whole of the shards in new memory, in the owner's process or in all."""
        if self._line is None:
            return _everywhere(self._p, shard)
        padded = self._padded(shard)
        found = [torch.empty_like(padded) for _ in range(self._line.size)] if self._line.owned else None
        dist.gather(padded, found, dst=self._line.source, group=self._line.group)
        return None if found is None else torch.cat(found)[: self._p.shape[0]]

    def _sent(self, whole: Tensor | None, here: Tensor) -> Tensor:
        """Return this process's shard of what the owner has whole; or all."""
        if self._line is None:
            assert whole is not None
            return self.mine(whole)
        padded = self._padded(here)
        parts = None if whole is None else self._parts(whole)
        dist.scatter(padded, parts, src=self._line.source, group=self._line.group)
        return padded[: len(here)]

    def _told(self, new: Tensor | None, here: Tensor) -> Tensor:
        """Return what the owner has of a slot that is not divided."""
        told = here.clone() if new is None else new
        if self._line is not None:
            dist.broadcast(told, src=self._line.source, group=self._line.group)
        return told

    def _padded(self, shard: Tensor) -> Tensor:
        """Return a shard with as many rows as the first process has."""
        assert self._line is not None
        rows = -(-self._p.shape[0] // self._line.size)
        return torch.cat([shard, shard.new_zeros(rows - len(shard), *shard.shape[1:])])

    def _parts(self, whole: Tensor) -> list[Tensor]:
        """Return the padded shard of each process."""
        assert self._line is not None
        rows = -(-len(whole) // self._line.size)
        padded = torch.cat([whole, whole.new_zeros(rows * self._line.size - len(whole), *whole.shape[1:])])
        return [*torch.split(padded, rows)]


def is_divided(p: Any) -> bool:
    """Return whether a parameter is divided among processes. Under autograd it counts as whole."""
    return is_sharded(p) and not torch.is_grad_enabled() and any(not x.is_replicate() for x in p.placements)


def _line(p: Any, turn: int) -> Line | None:
    """Return the processes that have a parameter's rows; None if it is divided otherwise."""
    from torch.distributed.tensor import Shard

    divided = [dim for dim, placement in enumerate(p.placements) if not placement.is_replicate()]
    if len(divided) != 1 or type(p.placements[divided[0]]) is not Shard or p.placements[divided[0]].dim != 0:
        return None
    group = p.device_mesh.get_group(divided[0])
    return Line(group, turn % group.size())


def _everywhere(p: Any, shard: Tensor) -> Tensor:
    """Return the whole of shards, in memory of its own."""
    from torch.distributed.tensor import DTensor

    shared = DTensor.from_local(shard, p.device_mesh, p.placements, run_check=False, shape=p.shape, stride=p.stride())
    whole = shared.full_tensor()
    return whole.clone() if whole.data_ptr() == shard.data_ptr() else whole
