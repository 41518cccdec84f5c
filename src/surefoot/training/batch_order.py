"""The order of a trial's training examples, and the batches made of them.

Each pass over the training examples has an order of its own, from the seed and the number of the pass. So every arm
with the same seed sees the same batches, and a trial that goes on from a checkpoint those that it had still to see. An
epoch need not be a pass: its steps are counted from the first of the training. Loading and the transform draw random
numbers from the seed and the number of the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surefoot.design.trial import Trial
from surefoot.tasks.seeds import seeded
from surefoot.tasks.task import Split, batches

Parts = list[tuple[int, Any]]
"""The batches of one step: the number of examples and the batch itself."""


class BatchOrder:
    """The order of a trial's training examples.

    Args:
        examples: the training examples.
        trial: whose seed and protocol.
        transform: changes each batch of a step; None leaves them.
    """

    def __init__(self, examples: Split, trial: Trial, transform: Callable[[Any], Any] | None) -> None:
        self._examples, self._seed, self._protocol, self._transform = examples, trial.seed, trial.protocol, transform

    def of_pass(self, number: int) -> tuple[Tensor, ...]:
        """Return the steps of one pass over the training examples, as their indices."""
        number = number if self._protocol.order == "shuffled" else 1
        order = np.random.default_rng([self._seed, number]).permutation(len(self._examples))
        used = torch.from_numpy(order[: self._protocol.batches_per_pass * self._protocol.batch_size])
        step = self._protocol.batch_size * self._protocol.recipe.accumulate
        return torch.split(used.to(self._protocol.device), step)

    def steps(self, first: int, last: int) -> tuple[Tensor, ...]:
        """Return the steps of the training from number `first + 1` to `last`."""
        each = self._protocol.steps_per_pass
        begun = range(first // each, -(-last // each))
        steps = [*chain.from_iterable(self.of_pass(number + 1) for number in begun)]
        return tuple(steps[first - begun.start * each : last - begun.start * each])

    def sample(self, most: int) -> tuple[Tensor, ...]:
        """Return some batches, the same ones each time. One of a single example, which has no spread, is left out."""
        order = torch.from_numpy(np.random.default_rng(self._seed).permutation(len(self._examples)))
        steps = torch.split(order.to(self._protocol.device), self._protocol.batch_size)[:most]
        return steps[:-1] if len(steps[-1]) == 1 < len(steps) else steps

    def loaded(self, steps: Sequence[Tensor], epoch: int) -> Iterator[Parts]:
        """Yield the batches of each step. Their randomness depends on the seed and the epoch."""
        parts = [torch.split(index, self._protocol.batch_size) for index in steps]
        found = enumerate(batches(self._examples, [*chain.from_iterable(parts)], (self._seed, epoch)))
        for step in parts:
            yield [(len(i), self._changed(batch, epoch, number)) for i, (number, batch) in zip(step, found)]  # noqa: B905

    def _changed(self, batch: Any, epoch: int, number: int) -> Any:
        """Return a batch after the user's transform, whose random numbers are its own."""
        if self._transform is None:
            return batch
        with seeded(self._seed, epoch, number, 1):
            return self._transform(batch)
