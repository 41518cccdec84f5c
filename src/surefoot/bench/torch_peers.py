"""torch.optim's contenders: a loop over tensors, lists of tensors (foreach), its fused kernels, and torch.compile.

Of the composite case torch's part is what a training loop writes today: `clip_grad_norm_`, the fused AdamW, and a
moving average of the weights by `torch._foreach_lerp_`.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import torch

from surefoot.bench.arena import Arena
from surefoot.bench.cases import CLIPPED, EMA, LR, MAX_NORM
from surefoot.bench.contenders import Contender, Stepper
from surefoot.bench.ours import CLASSES


def torch_peers(case: str, *, compiled: bool = False) -> list[Contender]:
    """Return torch's ways to do a case; the compiled one takes long to start and needs a C++ compiler."""
    if case == CLIPPED:
        return [Contender("torch fused, 3 calls", "torch", _clipped)]
    name, options = CLASSES.get(case, ("", {}))
    if not hasattr(torch.optim, name):
        return []
    ways = {"for-loop": {"foreach": False}, "foreach": {"foreach": True}}
    if "fused" in inspect.signature(getattr(torch.optim, name)).parameters:
        ways["fused"] = {"fused": True}
    make = partial(partial, _make, name)
    found = [Contender(f"torch {way}", "torch", make({**options, **extra}, False)) for way, extra in ways.items()]
    if compiled:
        found.append(Contender("torch compiled", "torch", make({**options, "foreach": True}, True)))
    return found


def _make(name: str, options: dict[str, Any], compiled: bool, arena: Arena) -> Stepper:
    optimizer = getattr(torch.optim, name)(arena.parameters, lr=LR, **options)
    step = torch.compile(optimizer.step) if compiled else optimizer.step
    return Stepper(step, optimizer)


def _clipped(arena: Arena) -> Stepper:
    optimizer = torch.optim.AdamW(arena.parameters, lr=LR, fused=True)
    weights = [parameter.detach() for parameter in arena.parameters]
    average = [weight.clone() for weight in weights]

    @torch.no_grad()
    def step() -> None:
        torch.nn.utils.clip_grad_norm_(arena.parameters, MAX_NORM)
        optimizer.step()
        torch._foreach_lerp_(average, weights, 1 - EMA)

    return Stepper(step, optimizer, beside=arena.dtype.itemsize)
