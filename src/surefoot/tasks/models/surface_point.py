"""A point on a surface as a model: its two coordinates are the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surefoot.tasks.models.surfaces import REACH, Surface


class Point(nn.Module):
    """The point that walks down a surface.

    Args:
        surface: where it walks.
        seed: chooses its start near the classical one; torch's global random numbers are neither used nor moved.
    """

    def __init__(self, surface: Surface, seed: int) -> None:
        super().__init__()
        self.surface = surface
        generator = torch.Generator().manual_seed(seed)
        aside = REACH * (2 * torch.rand(2, generator=generator) - 1)
        self.place = nn.Parameter(torch.tensor(surface.start) + aside)

    def forward(self) -> tuple[Tensor, Tensor]:
        """The height, and the distance to the minimum."""
        height: Tensor = self.surface.function(self.place[0], self.place[1])
        away = self.place.detach() - torch.tensor(self.surface.minimum, device=self.place.device)
        return height, away.double().norm()
