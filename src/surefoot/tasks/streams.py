"""Examples that can only be read from their start: an IterableDataset, a file or a service.

A comparison has to show every optimizer the same batches, and has to know how long an epoch is. So the number of its
examples is stated, and reading starts anew each epoch with a seed, on which all chance in it depends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import IterableDataset, default_collate

from surefoot.errors import TrialError, UsageError
from surefoot.tasks.examples import Collate, moved
from surefoot.tasks.seeds import seeded
from surefoot.values import is_whole


@dataclass(frozen=True)
class Stream:
    """Examples that are read from their start; see `stream`."""

    source: Any
    examples: int
    collate: Collate = default_collate
    device: str = "cpu"

    def __len__(self) -> int:
        return self.examples

    def to(self, device: str) -> Stream:
        """Return the same examples, whose batches are moved to a device."""
        return replace(self, device=device)

    def batch(self, index: Tensor | slice) -> Any:
        """Return the examples of a slice, read with the seed 0; of other places, as many from the start."""
        start, end = (index.start or 0, index.stop) if isinstance(index, slice) else (0, len(index))
        return self._together(list(islice(self._read(0), start, end)), end - start)

    def batches(self, places: Sequence[Tensor | slice], seed: Sequence[int]) -> Iterator[Any]:
        """Batches as large as these, one after the other, read with a seed."""
        with seeded(*seed):
            source = self._read(int(np.random.SeedSequence(list(seed)).generate_state(1)[0]))
        for number, index in enumerate(places):
            size = index.stop - index.start if isinstance(index, slice) else len(index)
            with seeded(*seed, number):
                batch = self._together(list(islice(source, size)), size)
            yield batch

    def _read(self, seed: int) -> Iterator[Any]:
        if not isinstance(self.source, IterableDataset):
            return iter(self.source(seed))
        if callable(set_epoch := getattr(self.source, "set_epoch", None)):
            set_epoch(seed)
        return iter(self.source)

    def _together(self, read: list[Any], size: int) -> Any:
        if len(read) < size:
            raise TrialError(
                f"the stream ended before its {self.examples} examples an epoch were read; state fewer of them."
            )
        return moved(self.collate(read), self.device)


def stream(
    source: IterableDataset[Any] | Callable[[int], Iterable[Any]], *, examples: int, collate: Collate = default_collate
) -> Stream:
    """Make data of examples that can only be read from their start.

    Args:
        source: an IterableDataset, or a function that takes a seed and returns what gives examples. It is read from its
            start each epoch. All optimizers get the same for a seed: the function gets another seed for each epoch; an
            IterableDataset is read with random numbers that follow it, and its `set_epoch` gets it, where it has one.
        examples: how many make an epoch.
        collate: puts a list of examples together, as a DataLoader's `collate_fn` does.

    Raises:
        UsageError: no such source, or no such number.

    Example:
        >>> train = surefoot.stream(lambda seed: read_lines("corpus.txt", seed), examples=100_000)
    """
    if not isinstance(source, IterableDataset) and not callable(source):
        raise UsageError(
            f"stream() takes an IterableDataset, or a function of a seed that returns examples, and was given "
            f"{type(source).__name__}."
        )
    if not is_whole(examples) or examples < 1:
        raise UsageError(f"examples is {examples!r}; give how many make an epoch, a whole number from 1.")
    return Stream(source, int(examples), collate)
