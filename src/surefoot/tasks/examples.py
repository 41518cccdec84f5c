"""Examples of a user's data: tensors, arrays, torch Datasets and DataLoaders, in our order.

Every optimizer has to see the same batches for a seed. So of a DataLoader its data set, its batch size, its workers and
its way of putting examples together are used, and its own order is not. What is random in a batch follows the seed and
the batch's number, however many workers load it. A loader that does not draw every example once an epoch is refused: it
would be another training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
    get_worker_info,
)

from surefoot.errors import UsageError, kind_of
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.seeds import seeded
from surefoot.tasks.task import Split

Collate = Callable[[list[Any]], Any]

EXPECTED = "give a pair of tensors (inputs, targets), a torch Dataset or a DataLoader"


@dataclass(frozen=True)
class Examples:
    """Examples of a map-style Dataset, collated as a DataLoader does it."""

    dataset: Any
    collate: Collate = default_collate
    device: str = "cpu"
    workers: int = 0
    start_worker: Callable[[int], None] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def to(self, device: str) -> Examples:
        """Return the same examples, whose batches are moved to a device."""
        return replace(self, device=device)

    def batch(self, index: Tensor | slice) -> Any:
        """Return the examples at these places."""
        return moved(_Batches(self, [index], ())[0], self.device)

    def batches(self, places: Sequence[Tensor | slice], seed: Sequence[int]) -> Iterator[Any]:
        """Return the examples at these places, batch by batch, loaded ahead where there are workers for it."""
        found = _Batches(self, places, seed)
        if not self.workers:
            return (moved(found[number], self.device) for number in range(len(places)))
        start = partial(_start, self.start_worker, self.dataset)
        loader = DataLoader(found, batch_size=None, num_workers=self.workers, worker_init_fn=start)
        return (moved(batch, self.device) for batch in loader)


@dataclass(frozen=True)
class _Batches(Dataset[Any]):
    """Batches by number. With a seed, each has random numbers from it and the number."""

    examples: Examples
    places: Sequence[Tensor | slice]
    seed: Sequence[int]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> Any:
        index = self.places[number]
        places = range(len(self.examples))[index] if isinstance(index, slice) else index.tolist()
        with seeded(*self.seed, number) if self.seed else nullcontext():
            return self.examples.collate([self.examples.dataset[place] for place in places])


def _start(start: Callable[[int], None] | None, dataset: Any, number: int) -> None:
    """Start a worker as the user's loader does. Torch's worker information holds the user's data set."""
    torch.set_num_threads(1)
    object.__setattr__(get_worker_info(), "dataset", dataset)
    if start is not None:
        start(number)


def split_of(given: Any, name: str) -> Split:
    """Return the examples of one part of the data.

    Args:
        given: a pair (or more) of tensors or arrays, a map-style Dataset, or a DataLoader of one.
        name: of the part, for errors.

    Raises:
        UsageError: something else, nothing, inputs and targets of different lengths, or a DataLoader that leaves
            examples out or repeats them.
    """
    if hasattr(given, "batches"):  # a split already, as `stream` makes one
        made: Split = given
        return made
    if isinstance(given, DataLoader):
        _check_sampler(given, name)
        usual = given.collate_fn is default_collate
        made = split_of(given.dataset, name) if usual else _examples(given.dataset, name, given.collate_fn)
        if not isinstance(made, Examples):
            return made
        return replace(made, workers=given.num_workers, start_worker=given.worker_init_fn)
    if isinstance(given, TensorDataset):
        return split_of(given.tensors, name)
    if isinstance(given, Sequence) and given and all(isinstance(part, Tensor | np.ndarray) for part in given):
        return _arrays(given, name)
    if isinstance(given, tuple | list) and len(given) in (2, 3) and all(isinstance(part, list) for part in given):
        raise UsageError(
            f"{name} data is {len(given)} lists; give tensors or arrays, such as (torch.tensor(inputs), "
            "torch.tensor(targets)). For a list of examples give pairs (input, target)."
        )
    _check_examples(given, name)
    return _examples(given, name, default_collate)


def batch_size_of(given: Any) -> int | None:
    """Return the batch size of a DataLoader; None for anything else."""
    if not isinstance(given, DataLoader):
        return None
    size: int | None = getattr(given.batch_sampler, "batch_size", given.batch_size)
    return size


def drops_last(given: Any) -> bool:
    """Return whether a DataLoader leaves out an incomplete last batch."""
    return isinstance(given, DataLoader) and bool(getattr(given.batch_sampler, "drop_last", given.drop_last))


def cut(split: Split, share: float) -> tuple[Split, Split]:
    """Split off a share of the examples at random, always the same. Returns the rest and the share.

    Raises:
        UsageError: too few examples to take any away.
    """
    taken = round(share * len(split))
    if not 0 < taken < len(split):
        raise UsageError(
            f"the training data has {len(split)} examples, too few to keep {share:.0%} of them for validation; "
            "give data=(train, validation, test)."
        )
    order = np.random.default_rng(0).permutation(len(split))
    return _some(split, np.sort(order[taken:])), _some(split, np.sort(order[:taken]))


def _check_sampler(loader: DataLoader[Any], name: str) -> None:
    """Raise `UsageError` unless a loader draws every example once, in batches of one size."""
    if isinstance(loader.dataset, IterableDataset) or not hasattr(loader.dataset, "__len__"):
        return  # refused for what it is
    batches = loader.batch_sampler
    sampler: Any = batches.sampler if type(batches) is BatchSampler else batches or loader.sampler
    whole = type(sampler) in (SequentialSampler, RandomSampler) and len(sampler) == len(loader.dataset)
    if not whole or getattr(sampler, "replacement", False):
        raise UsageError(
            f"{name} data: its DataLoader draws with a {type(sampler).__name__}, but a comparison shows each optimizer "
            "every example once an epoch, in batches that it draws itself. For some of the examples give "
            "torch.utils.data.Subset(dataset, indices), for weights a weighted loss; else leave the sampler out."
        )


def _some(split: Split, places: Any) -> Split:
    if isinstance(split, Arrays):
        return split[places]
    if isinstance(split, Examples):
        return replace(split, dataset=Subset(split.dataset, places.tolist()))
    raise UsageError(f"a {type(split).__name__} cannot be cut for validation; give data=(train, validation, test).")


def _arrays(parts: Sequence[Tensor | np.ndarray[Any, Any]], name: str) -> Split:
    if any(isinstance(part, Tensor) and part.dtype == torch.bfloat16 for part in parts):
        return _examples(TensorDataset(*map(torch.as_tensor, parts)), name, default_collate)
    try:
        return Arrays(*(part.detach().cpu().numpy() if isinstance(part, Tensor) else part for part in parts))
    except UsageError as error:
        raise UsageError(f"{name} data: {error}") from None


def _check_examples(given: Any, name: str) -> None:
    """Raise `UsageError` for inputs or targets alone, or a list of what is no example."""
    if isinstance(given, Tensor | np.ndarray):
        raise UsageError(f"{name} data is {kind_of(given)} alone; {EXPECTED}.")
    if not isinstance(given, tuple | list) or not given:
        return
    if isinstance(given[0], str | bytes) or not isinstance(given[0], Sequence | Mapping):
        kinds = dict.fromkeys(type(one).__name__ for one in given)
        raise UsageError(f"{name} data is {kind_of(given)} of {' and '.join(kinds)}; {EXPECTED}.")


def _examples(dataset: Any, name: str, collate: Collate) -> Split:
    if isinstance(dataset, IterableDataset):
        raise UsageError(
            f"{name} data: {type(dataset).__name__} can only be read from its start, and does not say how long an "
            "epoch is; give surefoot.stream(dataset, examples=10_000), or a Dataset with __getitem__ and __len__."
        )
    if not (isinstance(dataset, Dataset) or hasattr(dataset, "__getitem__")) or not hasattr(dataset, "__len__"):
        raise UsageError(f"{name} data is {kind_of(dataset)}; {EXPECTED}.")
    if len(dataset) == 0:
        raise UsageError(f"{name} data is empty; give at least one example.")
    return Examples(dataset, collate)


def moved(batch: Any, device: str) -> Any:
    """Return a batch with its tensors on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {name: moved(part, device) for name, part in batch.items()}
    if isinstance(batch, tuple | list):
        return [moved(part, device) for part in batch]
    return batch
