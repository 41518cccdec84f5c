"""Parts that models share: layers drawn from a generator, pixels as numbers, accuracy and loss.

No layer draws from torch's global random numbers, not even while it is made.
"""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from surefoot.errors import UsageError

PIXEL_MAX = 255

Layer = TypeVar("Layer", bound=nn.Module)


def uninitialized(layer: Layer) -> Layer:
    """Return a layer made on torch's device "meta", in memory: its constructor drew no random numbers.

    Its own `to_empty` would load torch's tracer and SymPy: 0.8 s of each worker.
    """
    for name, weight in layer.named_parameters(recurse=False):
        setattr(layer, name, nn.Parameter(torch.empty(weight.shape, dtype=weight.dtype)))
    return layer


def dense(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """Return a linear layer as He et al. 2015 start it for ReLU: uniform weights of variance 2 / inputs, biases of
    zero.
    """
    layer = uninitialized(nn.Linear(inputs, outputs, device="meta"))
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def pixels(images: Tensor) -> Tensor:
    """Bytes of any shape to float32 in 0..1, in the same shape."""
    return images.float() / PIXEL_MAX


def classified(outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the accuracy of a batch of outputs."""
    labels = labels.long()
    return functional.cross_entropy(outputs, labels), accuracy(outputs, labels)


def accuracy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the share of examples whose largest output is at their class.

    Args:
        outputs: N x classes, or N x classes x places.
        labels: N, or N x places, the index of the class.

    The mean is taken in float64, which keeps the number of right answers recoverable.

    Raises:
        UsageError: one output an example, whose largest is always right or always wrong.
    """
    if outputs.ndim < 2 or outputs.shape[1] < 2:
        raise UsageError(
            f"accuracy takes the largest of several outputs, one for each class, and the model has outputs of shape "
            f"{tuple(outputs.shape)}. For two classes with one output give better='max' and metric=lambda outputs, "
            "targets: ((outputs > 0).flatten() == targets.flatten()).float().mean()."
        )
    return (outputs.argmax(1) == labels).to(torch.float64).mean()
