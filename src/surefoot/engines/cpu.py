"""The CPU engine: the rule's generated kernel, all tensors of a step in one pass over memory.

It takes tensors in CPU memory, however they lie there as long as weights do not share memory. The kernel works on
memory that torch owns, so autograd is told of every tensor that it writes. Large steps are split among as many threads
as torch uses; weights do not depend on each other, so the split does not show in the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from surefoot.engines.launch import Launch
from surefoot.engines.team import Counts, Kernel, Work, kernel_address, parallel

SPLIT = 1 << 14
"""Weights in a step for each thread: fewer are done before another thread has noticed that there is work."""

PARTS = 8
"""Parts of a step for each thread: whoever is done first takes the next."""

Values = Sequence[Mapping[str, Any]]
"""The hyperparameters of each group."""


class Step:
    """One step of some launches, and of the step counts that go up with it, as one native call.

    It serves again: `begin` takes the numbers of a step and writes nothing, `run` does it.
    """

    def __init__(self, launches: Sequence[Launch], counts: Counts) -> None:
        self.counts = counts
        self._launches = launches
        self._sums = [[Step([sums], Counts([])) for sums in launch.before] for launch in launches]
        self._work = Work([Kernel(kernel_address(one.kernel.text), one.tables()) for one in launches], counts)

    def begin(self, values: Values) -> None:
        """Put the numbers of the coming step into the tables, sums over whole tensors among them."""
        for launch, sums, kernel in zip(self._launches, self._sums, self._work.kernels, strict=True):
            for k, stage in enumerate(sums):
                stage.begin(values)
                stage.run()
                launch.sum_up(k)
            launch.fill(kernel.tables, values)
        self._work.begin([_threads(launch) for launch in self._launches], PARTS)

    def run(self) -> None:
        """Take the step, unless it has been taken."""
        self._work.run()

    @property
    def done(self) -> bool:
        """Whether the step has been taken."""
        return self._work.done


def run(launch: Launch, values: Values) -> None:
    """Step every tensor of a launch."""
    step = Step([launch], Counts([]))
    step.begin(values)
    step.run()


def _threads(launch: Launch) -> int:
    """Return how many threads step a launch: all that torch uses, or one.

    It is one for little work, and for weights that share memory, which move one after the other. OpenMP ends threads
    that a smaller team does not need, so there is nothing in between.
    """
    alone = launch.size < 2 * SPLIT or not parallel() or launch.overlaps
    return 1 if alone else torch.get_num_threads()
