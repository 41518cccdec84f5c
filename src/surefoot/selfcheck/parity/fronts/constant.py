"""Centred RMSprop on torch with a gradient that stays the same: its variance is a difference of two equal numbers."""

from __future__ import annotations

import torch

import surefoot.torch

STEPS = 2000
WEIGHTS = 1000


def lost(*, own: bool) -> int:
    """Return how many weights are not numbers in the end: of torch's own optimizer, or of ours."""
    weight = torch.nn.Parameter(torch.zeros(WEIGHTS))
    made = torch.optim.RMSprop if own else surefoot.torch.RMSprop
    optimizer = made([weight], lr=1e-2, centered=True)
    weight.grad = torch.linspace(0.1, 1.0, WEIGHTS)
    for _ in range(STEPS):
        optimizer.step()
    return int(weight.isnan().sum())
