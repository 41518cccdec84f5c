"""A point on a surface as a model: its two coordinates are the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from surefoot.tasks.models.surfaces import REACH, SURFACES


class Point(nn.Module):
    """The point that walks down a surface of this name; a seed chooses its start near the classical one.

    Torch's global random numbers are neither used nor moved.
    """

    def __init__(self, seed: int, name: str) -> None:
        super().__init__()
        self.surface = SURFACES[name]
        generator = torch.Generator().manual_seed(seed)
        aside = REACH * (2 * torch.rand(2, generator=generator) - 1)
        self.place = nn.Parameter(torch.tensor(self.surface.start) + aside)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return the height, and the distance to the minimum."""
        height: Tensor = self.surface.function(self.place[0], self.place[1])
        away = self.place.detach() - torch.tensor(self.surface.minimum, device=self.place.device)
        return height, away.double().norm()


make_model = Point


def measure(model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:  # noqa: ARG001  nothing is in it
    """Return the height of the point, and its distance to the minimum."""
    measured: tuple[Tensor, Tensor] = model()
    return measured
