"""The weights and the BatchNorm statistics of an evaluation, where training uses others.

What the training has is put by and comes back to the last bit: an evaluation is no part of it. Statistics are those of
the weights that they were taken with, so for other weights they are taken again, from batches of the training examples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from surefoot.torch.composite import SurefootOptimizer

RENEWING = 100
"""Batches from which BatchNorm's statistics are taken again, at most."""


class Average:
    """A moving average of a model's weights, from those before the first step on.

    Args:
        model: whose weights are averaged; its other numbers are not.
        kept: how much of the average a step keeps.
    """

    def __init__(self, model: nn.Module, kept: float) -> None:
        self._model, self._kept = model, kept
        self.weights: list[Tensor] = []

    @property
    def _now(self) -> list[Tensor]:
        return [p.detach() for p in self._model.parameters() if p.is_floating_point()]

    def begin(self) -> None:
        """Begin with the weights before the first step. Lazy layers know their sizes only after a first pass."""
        self.weights = self.weights or [weight.clone() for weight in self._now]

    def follow(self) -> None:
        """Take the weights of a step into the average."""
        torch._foreach_lerp_(self.weights, self._now, 1 - self._kept)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average in the weights' place while the block runs."""
        training = [weight.clone() for weight in self._now]
        try:
            _copy(self.weights, self._now)
            yield
        finally:
            _copy(training, self._now)


class Statistics:
    """BatchNorm statistics for weights other than those in training.

    Args:
        model: which may have such layers, or none.
    """

    def __init__(self, model: nn.Module) -> None:
        layers = [one for one in model.modules() if isinstance(one, _BatchNorm) and one.track_running_stats]
        self._model, self._layers = model, layers
        self._found: tuple[int, list[Tensor]] = (-1, [])

    @property
    def exist(self) -> bool:
        """Whether the model has such layers."""
        return bool(self._layers)

    @property
    def _now(self) -> list[Tensor]:
        return [buffer for layer in self._layers for buffer in layer.buffers()]

    @contextmanager
    def of_weights(self, step: int, passes: Callable[[], Iterator[Any]]) -> Iterator[None]:
        """Give the layers the statistics of the weights in place, for the block.

        Args:
            step: of the training; after the same step they are not taken twice.
            passes: makes forward passes of training batches, one each time that the iterator is asked.
        """
        training = [buffer.clone() for buffer in self._now]
        try:
            if self._found[0] != step:
                self._take(passes())
                self._found = step, [buffer.clone() for buffer in self._now]
            _copy(self._found[1], self._now)
            yield
        finally:
            _copy(training, self._now)

    def _take(self, passes: Iterator[Any]) -> None:
        """Take the plain mean of the statistics over all passes, in training mode."""
        self._model.train()
        layers = [layer for layer in self._layers if layer.training]  # a frozen one keeps what it has
        momenta = [layer.momentum for layer in layers]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # torch's word for a plain mean
        try:
            for _ in passes:
                pass
        finally:
            self._model.eval()
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum


def has_other_weights(optimizer: torch.optim.Optimizer) -> bool:
    """Return whether an optimizer has evaluation weights, or, for a foreign class, a mode for them."""
    if isinstance(optimizer, SurefootOptimizer):
        return optimizer.has_evaluation_weights
    return callable(getattr(optimizer, "eval", None))


@torch.no_grad()
def _copy(sources: list[Tensor], places: list[Tensor]) -> None:
    for place, source in zip(places, sources, strict=True):
        place.copy_(source)
