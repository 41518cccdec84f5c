"""Making layers whose weights come from a generator, and never from torch's global random numbers."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Layer = TypeVar("Layer", bound=nn.Module)


def uninitialized(layer: Layer) -> Layer:
    """A layer made on torch's device "meta", in memory: its constructor drew no random numbers."""
    return layer.to_empty(device="cpu")


def dense(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """A linear layer as He et al. 2015 start it for ReLU: uniform weights of variance 2 / inputs, biases of zero.

    Args:
        inputs: width in.
        outputs: width out.
        generator: draws the weights.
    """
    layer = uninitialized(nn.Linear(inputs, outputs, device="meta"))
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)
    return layer
