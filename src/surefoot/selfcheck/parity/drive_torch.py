"""torch: Surefoot's optimizers beside torch.optim's."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import accumulate
from types import ModuleType
from typing import Any

import numpy as np
import torch

import surefoot.torch
from surefoot.frontends.contract import Setup

AROUND_SGD = ("timm.optim.lookahead.Lookahead",)
"""Optimizers of packages that go around another; here it is torch's SGD."""


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
        gradient = torch.from_numpy(row).to(weight.dtype)
        if setup.one_buffer and weight.grad is not None:
            weight.grad.copy_(gradient)
        else:
            weight.grad = gradient.clone()
        optimizer.step()
        path.append(weight.detach().to(torch.float32, copy=True).numpy())
    return np.array(path)


def _make(setup: Setup, weight: Any) -> torch.optim.Optimizer:
    options: dict[str, Any] = {"lr": setup.rate(0), "weight_decay": setup.weight_decay, **setup.options}
    if not setup.call:
        return surefoot.torch.RuleOptimizer([weight], setup.rule, convention=setup.convention, **options)
    package, _, name = setup.call.rpartition(".")
    theirs = getattr(_module(package or "torch.optim"), name)
    if setup.call in AROUND_SGD:
        own = {option: options.pop(option) for option in setup.options}
        made: torch.optim.Optimizer = theirs(torch.optim.SGD([weight], **options), **own)
    else:
        made = theirs([weight], **options)
    return made


def _module(name: str) -> Any:
    """Load a module; of timm this one file, for its packages load all models, which ask for torchvision."""
    *packages, _ = accumulate(name.split("."), lambda outer, inner: f"{outer}.{inner}")
    for package in packages if name.startswith("timm.") else ():
        found = find_spec(package)
        if package not in sys.modules and found is not None:
            bare = ModuleType(package)
            bare.__path__ = [*(found.submodule_search_locations or ())]
            sys.modules[package] = bare
    return import_module(name)


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
