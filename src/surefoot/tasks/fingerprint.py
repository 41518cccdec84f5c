"""The fingerprint of a task: a few characters that change with its model, its data or what is measured.

Of the data, arrays are in the fingerprint whole. A data set that makes its examples one by one would take too long: a
hundred of them stand for it, so that a change to a few others is not seen.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from surefoot.tasks.arrays import Arrays
from surefoot.tasks.seeds import seeded
from surefoot.tasks.streams import Stream
from surefoot.tasks.task import Split

PEEK = 100
"""Examples, evenly spaced, that stand for a data set that is not made of arrays."""

FEW = 10
"""Examples of them in memory at a time."""

LOOKS = 4
"""Examples that are made twice, to find random ones."""


class Fingerprint:
    """A hash of all that was added, in the order in which it was."""

    def __init__(self) -> None:
        self._seen = hashlib.sha256()

    @property
    def text(self) -> str:
        """Sixteen digits."""
        return self._seen.hexdigest()[:16]

    def add_text(self, text: str) -> None:
        """Add what can be said of the task in words."""
        self._seen.update(text.encode())

    def add_model(self, model: nn.Module) -> None:
        """Add the weights and the buffers of a model."""
        for tensor in model.state_dict().values():
            if isinstance(tensor, Tensor):
                self._seen.update(_bytes(tensor))

    def add_split(self, split: Split) -> None:
        """Add the examples of one part of the data, and whether they are random."""
        self.add_text(str(len(split)))
        if isinstance(split, Arrays):
            for array in split.arrays:
                self._seen.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        elif isinstance(split, Stream):
            _add_batch(self._seen, split.batch(slice(0, min(PEEK, len(split)))))
        else:
            self._add_examples(split)

    def _add_examples(self, split: Split) -> None:
        places = torch.from_numpy(np.linspace(0, len(split) - 1, min(PEEK, len(split))).astype(np.int64))
        with seeded(0):
            for some in torch.split(places, FEW):
                _add_batch(self._seen, split.batch(some))
        if is_random(split):
            self.add_text("random numbers of its own for each batch")


def is_random(split: Split) -> bool:
    """Return whether an example differs each time, as an augmented one does."""
    if isinstance(split, Arrays | Stream):
        return False
    looks = [hashlib.sha256(), hashlib.sha256()]
    with seeded(0):
        for seen in looks:
            _add_batch(seen, split.batch(slice(0, min(LOOKS, len(split)))))
    return looks[0].digest() != looks[1].digest()


def _add_batch(seen: Any, batch: Any) -> None:
    if isinstance(batch, Tensor):
        seen.update(_bytes(batch))
    elif isinstance(batch, dict):
        _add_batch(seen, list(batch.values()))
    elif isinstance(batch, tuple | list):
        for part in batch:
            _add_batch(seen, part)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
