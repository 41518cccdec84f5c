"""Logistic regression on images of digits: a convex task, where every optimizer that converges finds the same loss.

Weights start at zero, so a seed decides nothing but the order of the examples. 7,850 numbers.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from surefoot.tasks.models.layers import uninitialized
from surefoot.tasks.models.metrics import accuracy
from surefoot.tasks.models.pixels import pixels


def make_model(seed: int) -> nn.Module:  # noqa: ARG001  a seed's weights are those of any other: zero
    """The ten outputs, linear in the pixels."""
    layer = uninitialized(nn.Linear(28 * 28, 10, device="meta"))
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def measure(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The cross-entropy and the accuracy of a batch of raw images and labels."""
    images, labels = batch[0], batch[1].long()
    outputs = model(pixels(images.flatten(1)))
    return functional.cross_entropy(outputs, labels), accuracy(outputs, labels)
