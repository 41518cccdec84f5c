"""Contenders from optional libraries: pytorch_optimizer, optax under `jax.jit`, and authors' code.

Of pytorch_optimizer those rules are timed that are its own, not torch's under another roof. optax is given its
parameters and state as buffers that it may overwrite, as its users do; jax keeps its own memory.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib import import_module
from typing import Any

from surefoot.bench.arena import Arena
from surefoot.bench.cases import LR
from surefoot.bench.contenders import Contender, Stepper
from surefoot.errors import UsageError

INSTALL = {"pytorch_optimizer": "pip install pytorch-optimizer", "optax": "pip install optax jax"}
"""The way to install a library, where it is not its name alone."""

_ITS_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGDW", {}),
    "momentum": ("SGDW", {"momentum": 0.9}),
    "nesterov": ("SGDW", {"momentum": 0.9, "nesterov": True}),
    "adadelta": ("AdaDelta", {}),
    "adabound": ("AdaBound", {}),
    "amsbound": ("AdaBound", {"ams_bound": True}),
}

_ITS_FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in ("sgd", "adagrad", "adadelta", "adam", "amsgrad")},
    "momentum": ("sgd", {"momentum": 0.9}),
    "nesterov": ("sgd", {"momentum": 0.9, "nesterov": True}),
    "rmsprop": ("rmsprop", {"decay": 0.99}),
    "adamw": ("adamw", {"weight_decay": 1e-2}),
}


def pytorch_optimizer_peers(case: str) -> list[Contender]:
    """Return pytorch_optimizer's ways to do a case: its loop and its lists of tensors."""
    if case not in _ITS_CLASSES:
        return []
    ways = {"loop": False, "foreach": True}
    return [
        Contender(
            f"pytorch_opt. {way}", "pytorch_optimizer", partial(_make, case, foreach), ("torch", "pytorch_optimizer")
        )
        for way, foreach in ways.items()
    ]


_AUTHORS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "lion": ("lion_pytorch", "Lion", {"lr": LR}),
    "schedule_free_sgd": ("schedulefree", "SGDScheduleFree", {"lr": LR, "foreach": True}),
    "schedule_free_adamw": ("schedulefree", "AdamWScheduleFree", {"lr": LR, "foreach": True}),
    "schedule_free_radam": ("schedulefree", "RAdamScheduleFree", {"lr": LR, "foreach": True}),
    "prodigy": ("prodigyopt", "Prodigy", {"lr": LR, "d0": 1.0}),
}
"""The module, class and options of the authors' code as people install it. Prodigy multiplies `lr` by `d0`."""


def author_peers(case: str) -> list[Contender]:
    """Return the authors' own code for a case."""
    if case not in _AUTHORS:
        return []
    module, _, _ = _AUTHORS[case]
    return [Contender(module, module, partial(_make_authors, case), ("torch", module))]


def _make_authors(case: str, arena: Arena) -> Stepper:
    module, name, options = _AUTHORS[case]
    optimizer = getattr(import_module(module), name)(arena.parameters, **options)
    if hasattr(optimizer, "train"):
        optimizer.train()
    return Stepper(optimizer.step, optimizer)


MOST_ARGUMENTS = 1000
"""Tensors for which optax's step is compiled."""


def optax_peers(case: str) -> list[Contender]:
    """Return optax's way to do a case, compiled by jax as one function."""
    if case not in _ITS_FUNCTIONS:
        return []
    return [Contender("optax jit", "optax", partial(_make_optax, case), ("jax", "optax"))]


def limit_jax(threads: int) -> bool:
    """Set jax's number of threads before it loads. Returns False if jax cannot keep to it."""
    if threads == 1 and "jax" not in sys.modules:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    return threads in (1, os.cpu_count())


def _make(case: str, foreach: bool, arena: Arena) -> Stepper:
    name, options = _ITS_CLASSES[case]
    its = getattr(import_module("pytorch_optimizer"), name)
    optimizer = its(arena.parameters, lr=LR, foreach=foreach, **options)
    return Stepper(optimizer.step, optimizer)


def _make_optax(case: str, arena: Arena) -> Stepper:
    if len(arena.parameters) > MOST_ARGUMENTS:
        raise UsageError(
            f"XLA compiles a function of {len(arena.parameters):,} tensors for minutes, and takes gigabytes"
        )
    jax, optax = import_module("jax"), import_module("optax")
    name, options = _ITS_FUNCTIONS[case]
    rule = getattr(optax, name)(LR, **options)

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(weights: Any, state: Any, gradients: Any) -> Any:
        updates, state = rule.update(gradients, state, weights)
        return optax.apply_updates(weights, updates), state

    weights = [_copied(jax, parameter.detach()) for parameter in arena.parameters]
    gradients = [_copied(jax, parameter.grad) for parameter in arena.parameters]
    now = weights, rule.init(weights)

    def step() -> None:
        nonlocal now
        now = jax.block_until_ready(update(*now, gradients))

    kept = sum(leaf.nbytes for leaf in jax.tree.leaves(now[1]) if leaf.ndim)
    return Stepper(step, beside=kept / arena.weights)


def _copied(jax: Any, tensor: Any) -> Any:
    return jax.numpy.array(jax.numpy.from_dlpack(tensor), copy=True)
