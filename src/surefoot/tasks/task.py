"""What a task is: a model to train, how raw data becomes its input, and the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Task:
    """A classification task.

    Attributes:
        name: its name.
        make_model: makes the model with the initial weights of a seed; the same seed gives the same weights.
        prepare: turns a batch of raw images (uint8, N x height x width) into the model's input.
        loss: mean loss of a batch from the model's outputs (N x classes) and labels (int64, N).
    """

    name: str
    make_model: Callable[[int], nn.Module]
    prepare: Callable[[Tensor], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
