"""The contenders of each case: our engines, torch.optim's ways, and other libraries if installed.

Each is written as its users write it. torch's ways are a loop over tensors, lists of tensors (foreach), its fused
kernels, and torch.compile; of the composite case `clip_grad_norm_`, the fused AdamW, and `torch._foreach_lerp_`.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import torch

import surefoot.torch
from surefoot.bench.arena import Arena
from surefoot.bench.cases import CLIPPED, EMA, LR, MAX_NORM, case_names, lr_of, rule_of_case
from surefoot.bench.contenders import Contender, Stepper
from surefoot.bench.other_libraries import INSTALL, author_peers, optax_peers, pytorch_optimizer_peers

ENGINES = ("cpu", "eager")

CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name.lower(): (name, {}) for name in surefoot.torch.__all__ if name != "RuleOptimizer"},
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "amsgrad": ("Adam", {"amsgrad": True}),
}
"""The class and options of each rule in PyTorch. A missing rule has no class there."""


def contenders(case: str, *, compiled: bool = False) -> list[Contender]:
    """Return everyone who does a case, ours first, also those whose library is absent.

    Args:
        case: the case's name.
        compiled: also torch.compile.
    """
    others = (*pytorch_optimizer_peers(case), *author_peers(case), *optax_peers(case))
    return [*ours(case), *torch_peers(case, compiled=compiled), *others]


def absent() -> dict[str, str]:
    """Return the libraries that could be timed but are not installed, and how to add each."""
    missing = {one.library for name in case_names() for one in contenders(name) if not one.available}
    return {library: how for library, how in INSTALL.items() if library in missing}


def ours(case: str) -> list[Contender]:
    """Return a contender for each engine."""
    return [
        Contender(f"surefoot {engine}", "surefoot", partial(_make_ours, case, engine), engine=engine)
        for engine in ENGINES
    ]


def _make_ours(case: str, engine: str, arena: Arena) -> Stepper:
    rule = rule_of_case("adamw" if case == CLIPPED else case)
    if case in CLASSES or case == CLIPPED:
        name, options = CLASSES.get(case, ("AdamW", {"max_grad_norm": MAX_NORM, "ema": EMA}))
        optimizer = getattr(surefoot.torch, name)(arena.parameters, **lr_of(rule), **options, engine=engine)
    else:
        optimizer = surefoot.torch.RuleOptimizer(arena.parameters, rule, **lr_of(rule), engine=engine)
    return Stepper(optimizer.step, optimizer)


def torch_peers(case: str, *, compiled: bool = False) -> list[Contender]:
    """Return torch's ways to do a case. The compiled one starts slowly and needs a C++ compiler."""
    if case == CLIPPED:
        return [Contender("torch fused, 3 calls", "torch", _clipped)]
    name, options = CLASSES.get(case, ("", {}))
    if not hasattr(torch.optim, name):
        return []
    ways = {"for-loop": {"foreach": False}, "foreach": {"foreach": True}}
    if "fused" in inspect.signature(getattr(torch.optim, name)).parameters:
        ways["fused"] = {"fused": True}
    make = partial(partial, _make_torch, name)
    found = [Contender(f"torch {way}", "torch", make({**options, **extra}, False)) for way, extra in ways.items()]
    if compiled:
        found.append(Contender("torch compiled", "torch", make({**options, "foreach": True}, True)))
    return found


def _make_torch(name: str, options: dict[str, Any], compiled: bool, arena: Arena) -> Stepper:
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
