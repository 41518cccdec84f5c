"""Surefoot's own contenders: each rule on each engine, as a user of PyTorch writes it."""

from __future__ import annotations

from functools import partial
from typing import Any

import surefoot.torch
from surefoot.bench.arena import Arena
from surefoot.bench.cases import CLIPPED, EMA, LR, MAX_NORM, lr_of, rule_of_case
from surefoot.bench.contenders import Contender, Stepper

ENGINES = ("cpu", "eager")

CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("Adagrad", {}),
    "adadelta": ("Adadelta", {}),
    "rmsprop": ("RMSprop", {}),
    "adam": ("Adam", {}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "adamw": ("AdamW", {}),
    "adabound": ("AdaBound", {}),
    "amsbound": ("AMSBound", {}),
}
"""How each rule is written in PyTorch: class and options. A rule that is not here has no class of its own."""


def ours(case: str) -> list[Contender]:
    """Return a contender for each engine."""
    return [
        Contender(f"surefoot {engine}", "surefoot", partial(_make, case, engine), engine=engine) for engine in ENGINES
    ]


def _make(case: str, engine: str, arena: Arena) -> Stepper:
    optimizer = _optimizer(case, engine, arena)
    return Stepper(optimizer.step, optimizer)


def _optimizer(case: str, engine: str, arena: Arena) -> Any:
    if case == CLIPPED:
        return surefoot.torch.AdamW(arena.parameters, lr=LR, max_grad_norm=MAX_NORM, ema=EMA, engine=engine)
    if case not in CLASSES:
        rule = rule_of_case(case)
        return surefoot.torch.RuleOptimizer(arena.parameters, rule, **lr_of(rule), engine=engine)
    name, options = CLASSES[case]
    return getattr(surefoot.torch, name)(arena.parameters, lr=LR, **options, engine=engine)
