"""torch: Surefoot's optimizers beside torch.optim's."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch

import surefoot.torch
from surefoot.frontends.contract import Setup


class Torch:
    """The front-end of torch."""

    name = framework = "torch"

    def drive(self, setups: Sequence[Setup], starts: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        """Return, for each optimizer, the weights after each step; see `FrontEnd`."""
        return [_drive(setup, start, rows) for setup, start in zip(setups, starts, strict=True)]


def _drive(setup: Setup, start: np.ndarray, rows: np.ndarray) -> np.ndarray:
    weight = torch.nn.Parameter(torch.from_numpy(start).to(getattr(torch, setup.dtype), copy=True))
    optimizer, path = _make(setup, weight), []
    for count, row in enumerate(rows):
        if count == setup.restart:
            file = io.BytesIO()
            torch.save(optimizer.state_dict(), file)
            optimizer = _make(setup, weight)
            optimizer.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
        optimizer.param_groups[0]["lr"] = setup.rate(count)
        weight.grad = torch.from_numpy(row).to(weight.dtype)
        optimizer.step()
        path.append(weight.detach().to(torch.float32, copy=True).numpy())
    return np.array(path)


def _make(setup: Setup, weight: Any) -> torch.optim.Optimizer:
    options: dict[str, Any] = {"lr": setup.rate(0), "weight_decay": setup.weight_decay, **setup.options}
    if not setup.call:
        return surefoot.torch.RuleOptimizer([weight], setup.rule, convention=setup.convention, **options)
    package, _, name = setup.call.rpartition(".")
    made: torch.optim.Optimizer = getattr(import_module(package or "torch.optim"), name)([weight], **options)
    return made


def lost(*, own: bool, weights: int) -> int:
    """Return how many weights centred RMSprop, torch's own or ours, makes NaN while the gradient stays the same.

    Its variance is a difference of two equal numbers, which rounding makes negative.
    """
    weight = torch.nn.Parameter(torch.zeros(weights))
    made = torch.optim.RMSprop if own else surefoot.torch.RMSprop
    optimizer = made([weight], lr=1e-2, centered=True)
    weight.grad = torch.linspace(0.1, 1.0, weights)
    for _ in range(2000):
        optimizer.step()
    return int(weight.isnan().sum())
