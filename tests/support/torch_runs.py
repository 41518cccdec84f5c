"""Training runs on fixed gradients, for tests that put one of our torch optimizers beside torch's own.

`pair` makes both on equal parameters, `drive` feeds both the same gradients, `check_equal` compares parameters and the
state that both keep.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

import surefoot.torch
from near import assert_near

NAMES = ("SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam")
SHAPES = ((4, 3), (5,), ())
NUMBERS = ("step", "mu_product")
"""What is kept for a whole tensor; all else has the shape of the weights."""

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.9, "momentum": 0.9, "centered": True, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.1, "eps": 1e-3, "momentum": 0.5, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.9), "amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.1, "betas": (0.8, 0.9), "momentum_decay": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.1, "betas": (0.8, 0.9), "weight_decay": 0.1, "maximize": True}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
]
IDS = [f"{name}-{'-'.join(options) or 'defaults'}" for name, options in CASES]


def parameters(dtype: torch.dtype = torch.float64, shapes: Sequence[tuple[int, ...]] = SHAPES) -> list[Parameter]:
    """Return new parameters; the same each time."""
    generator = torch.Generator().manual_seed(1)
    return [Parameter(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)) for shape in shapes]


def gradients(params: Sequence[Tensor], steps: int, seed: int = 2) -> list[list[Tensor]]:
    """Return gradients for each step and parameter."""
    generator = torch.Generator().manual_seed(seed)
    wide = torch.complex128 if params[0].is_complex() else torch.float64
    return [[torch.randn(p.shape, generator=generator, dtype=wide).to(p.dtype) for p in params] for _ in range(steps)]


def pair(name: str, options: dict[str, Any], dtype: torch.dtype = torch.float64) -> tuple[Optimizer, Optimizer]:
    """Return our optimizer and torch's, each with parameters of its own."""
    ours, theirs = getattr(surefoot.torch, name), getattr(torch.optim, name)
    return ours(parameters(dtype), **options), theirs(parameters(dtype), **options, foreach=False)


def params_of(optimizer: Optimizer) -> list[Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def drive(
    *optimizers: Optimizer, steps: int = 20, seed: int = 2, before: Callable[[Optimizer, int], None] | None = None
) -> None:
    """Step each optimizer over the same gradients; `before` may change it before each step."""
    for optimizer in optimizers:
        params = params_of(optimizer)
        for i, row in enumerate(gradients(params, steps, seed)):
            for p, gradient in zip(params, row, strict=True):
                p.grad = gradient.clone(memory_format=torch.preserve_format)
            if before is not None:
                before(optimizer, i)
            optimizer.step()


def check_equal(ours: Optimizer, theirs: Optimizer, rtol: float = 1e-12) -> None:
    """Check parameters and every state tensor that torch keeps; our step count in SGD is our own."""
    for p, q in zip(params_of(ours), params_of(theirs), strict=True):
        assert_near(p, q, rtol)
        for key, value in theirs.state[q].items():
            if isinstance(value, Tensor):
                assert_near(ours.state[p][key], value.to_dense(), rtol)


def check_same(one: Optimizer, other: Optimizer) -> None:
    """Check that parameters and state are the same bit by bit."""
    check_equal(one, other, rtol=0.0)
    for p, q in zip(params_of(one), params_of(other), strict=True):
        assert one.state[p].keys() == other.state[q].keys()


@contextmanager
def official() -> Iterator[type[Optimizer]]:
    """Give the AdaBound authors' own class, which calls torch with arguments in the order of 2019."""
    import adabound

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This overload of add", category=UserWarning)
        yield adabound.AdaBound
