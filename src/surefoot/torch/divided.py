"""Matrices that are divided among processes, as DTensor and FSDP2 divide them: a rule for matrices sees them whole.

What a rule makes of one shard by itself is another step: orthogonalized apart, the halves of a matrix are far from what
the whole is. So each process gathers the matrix, steps it and keeps its own shard; all compute the same.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from surefoot.engines.eager import Kept, Part, Write
from surefoot.rule import SLOTS_AROUND, Rule
from surefoot.torch.state import decoded


def is_divided(p: Tensor) -> bool:
    """Tell whether processes have different parts of a parameter; where autograd looks on, it sees the whole."""
    return hasattr(p, "placements") and not torch.is_grad_enabled() and any(not x.is_replicate() for x in p.placements)


def gathered(p: Tensor, part: Part, rule: Rule) -> Part:
    """Return the step of a whole parameter, in memory of its own; every process must ask for it."""
    state: dict[str, Kept] = {}
    for slot, kept in part.state.items():
        x = decoded(kept)  # which is what it is: state in 8 bits is for plain memory
        state[slot] = _whole(p, x) if per(rule, slot) == "weight" else x.clone()
    return part._replace(weight=_whole(p, part.weight), gradient=_whole(p, part.gradient), state=state, offset=0)


def scattered(p: Tensor, whole: Part, part: Part, rule: Rule) -> list[Write]:
    """Return what writes the new numbers of the whole into what this process keeps."""
    found: list[Write] = [partial(part.weight.copy_, mine(p, whole.weight))]
    for slot, kept in whole.state.items():
        x = decoded(kept)
        found.append(partial(decoded(part.state[slot]).copy_, mine(p, x) if per(rule, slot) == "weight" else x))
    return found


def mine(p: Any, whole: Tensor) -> Tensor:
    """Return this process's shard of what all have whole."""
    from torch.distributed.tensor import DTensor, Replicate  # who has shards has loaded it

    mesh = p.device_mesh
    everywhere = DTensor.from_local(whole, mesh, [Replicate()] * mesh.ndim, run_check=False)
    here: Tensor = everywhere.redistribute(placements=p.placements).to_local()
    return here


def _whole(p: Any, shard: Tensor) -> Tensor:
    from torch.distributed.tensor import DTensor

    x = DTensor.from_local(
        shard, p.device_mesh, p.placements, run_check=False, shape=p.shape, stride=p.stride()
    ).full_tensor()
    return x.clone() if x.data_ptr() == shard.data_ptr() else x


def per(rule: Rule, slot: str) -> str:
    """Return what a slot has a number for: see `Slot.per`."""
    return next(known.per for known in (*rule.slots, *SLOTS_AROUND) if known.name == slot)
