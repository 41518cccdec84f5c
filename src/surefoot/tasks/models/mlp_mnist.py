"""A multilayer perceptron on 28 x 28 images in ten classes: 784, 128, 64, 10, with ReLU between. 109,386 numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from surefoot.tasks.models.parts import classified, dense, pixels


def make_model(seed: int) -> nn.Module:
    """Return the network with the initial weights of a seed. Torch's global random numbers stay as they are."""
    generator = torch.Generator().manual_seed(seed)
    first, second, last = (dense(*widths, generator) for widths in ((28 * 28, 128), (128, 64), (64, 10)))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)


def measure(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the accuracy of a batch of raw images and labels."""
    return classified(model(pixels(batch[0].flatten(1))), batch[1])
