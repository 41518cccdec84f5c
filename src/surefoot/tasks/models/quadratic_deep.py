"""The weights and the loss of the stochastic quadratic; `quadratic.py` has its Hessian and its examples.

Every seed starts at the same place, all weights 1, as published: only the order of the examples is the seed's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surefoot.tasks.models.quadratic import SIZE, hessian


class Quadratic(nn.Module):
    """Examples, N x 100, to the loss of each."""

    hessian: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.ones(SIZE))
        self.register_buffer("hessian", torch.from_numpy(hessian()).float())

    def forward(self, x: Tensor) -> Tensor:
        """(w - x)' H (w - x) / 2."""
        away = self.weights - x
        return ((away @ self.hessian) * away).sum(1) / 2


def make_model(seed: int) -> nn.Module:  # noqa: ARG001  every seed starts at the same weights
    """Return the weights, all of them 1."""
    return Quadratic()


def measure(model: nn.Module, batch: tuple[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the mean loss of a batch, twice: it is the metric too."""
    loss: Tensor = model(batch[0]).mean()
    return loss, loss.detach()
