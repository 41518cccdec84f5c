"""What a trial is evaluated with where that is not what it trains with.

The training weights are put by and come back to the last bit: an evaluation is no part of the training.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from surefoot.torch import RuleOptimizer


class Average:
    """A moving average of a model's weights, which begins with the weights before the first step.

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
        """Begin the average with the weights before the first step, whose sizes are known only after a first pass."""
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


def has_other_weights(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer has weights for evaluation; of a class that is not ours, whether it has a mode for it."""
    if isinstance(optimizer, RuleOptimizer):
        return optimizer.has_evaluation_weights
    return callable(getattr(optimizer, "eval", None))


@torch.no_grad()
def _copy(sources: list[Tensor], places: list[Tensor]) -> None:
    for place, source in zip(places, sources, strict=True):
        place.copy_(source)
