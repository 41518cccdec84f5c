"""A training that one process and two can do alike, for the tests of distributed training.

Each of two processes sees one half of a batch. One process that sees both takes the mean of their gradients, half by
half: a half is exact and a sum of two has no order, so its gradients are those of two processes bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

import surefoot.torch

STEPS = 3
ENGINES = ("auto", "eager")
OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
    "Adagrad": {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1},
    "Adadelta": {"lr": 0.5, "weight_decay": 0.1},
    "RMSprop": {"lr": 0.1, "momentum": 0.9, "centered": True, "weight_decay": 0.1},
    "Adam": {"lr": 0.1, "weight_decay": 0.1},
    "AdamW": {"lr": 0.1, "amsgrad": True},
    "AdaBound": {"lr": 0.1, "weight_decay": 0.1},
    "AMSBound": {"lr": 0.1, "weight_decay": 0.1},
}
DDP = ("SGD", "Adam", "AdaBound")
CLIPPED = {"lr": 0.1, "weight_decay": 0.1, "max_grad_norm": 0.2, "ema": 0.9}
SHAPES = ((5, 3), (4,), (1,), (2, 3, 2))
"""Of parameters on two processes: uneven, even, nothing for the second, and one to split along another axis."""


def mlp(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Return a small model, the same each time: one layer splits unevenly, the last not at all."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).to(dtype)


def batch(step: int, half: int, dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(2 * step + half)
    return torch.randn(4, 5, generator=generator, dtype=torch.float64).to(dtype)


def backward(model: nn.Module, step: int, halves: Sequence[int]) -> None:
    """Leave the mean gradient of these halves of a batch, and of other processes' if the model is shared."""
    dtype = next(model.parameters()).dtype
    model.zero_grad()
    for half in halves:
        (model(batch(step, half, dtype)).square().mean() / len(halves)).backward()


def train(model: nn.Module, optimizer: Optimizer, halves: Sequence[int], steps: range = range(STEPS)) -> Optimizer:
    for step in steps:
        backward(model, step, halves)
        optimizer.step()
    return optimizer


def whole(x: Any) -> Any:
    """Put a sharded tensor together, from all processes."""
    if not isinstance(x, Tensor):
        return x
    return x.detach().full_tensor() if hasattr(x, "full_tensor") else x.detach().clone()


def outcome(optimizer: Optimizer) -> dict[str, Any]:
    """Return weights, state and engine."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    state = [{name: whole(x) for name, x in optimizer.state[p].items()} for p in params]
    return {"weights": [whole(p) for p in params], "state": state, "engine": getattr(optimizer, "engine", "torch")}


def parameters(dtype: torch.dtype = torch.float32) -> list[Parameter]:
    generator = torch.Generator().manual_seed(3)
    return [Parameter(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)) for shape in SHAPES]


def feed(optimizer: Optimizer, shared: Callable[[Tensor, Tensor], Tensor] | None = None) -> Optimizer:
    """Step over fixed gradients, each as `shared` makes it fit its parameter."""
    generator = torch.Generator().manual_seed(4)
    params = [p for group in optimizer.param_groups for p in group["params"]]
    for _ in range(STEPS):
        for p in params:
            gradient = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
            p.grad = gradient if shared is None else shared(gradient, p)
        optimizer.step()
    return optimizer


def torch_clips(model: nn.Module, halves: Sequence[int]) -> Optimizer:
    optimizer = torch.optim.AdamW(model.parameters(), lr=CLIPPED["lr"], weight_decay=CLIPPED["weight_decay"])
    for step in range(STEPS):
        backward(model, step, halves)
        clip_grad_norm_(model.parameters(), CLIPPED["max_grad_norm"])
        optimizer.step()
    return optimizer


def through_a_step(p: Tensor) -> Tensor:
    moved = p.clone()
    moved.grad = p * p
    surefoot.torch.Adam([moved], lr=0.1, eps=0.1, differentiable=True).step()
    (gradient,) = torch.autograd.grad(moved.square().sum(), p)
    return gradient
