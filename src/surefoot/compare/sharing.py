"""One copy of the data for all workers: the arrays lie in shared memory, and what travels is their names.

The driver makes the blocks and removes them at the end. Should it be killed, Python's resource tracker, a process of
its own, removes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from surefoot.datasets import Dataset


@dataclass(frozen=True)
class SharedArray:
    """Where an array lies."""

    block: str
    shape: tuple[int, ...]
    dtype: str


@contextmanager
def shared(data: Dataset) -> Iterator[dict[str, Any]]:
    """Give a data set's fields with each array replaced by the place of its copy in shared memory."""
    blocks: list[SharedMemory] = []
    try:
        yield {field.name: _share(getattr(data, field.name), blocks) for field in fields(data)}
    finally:
        for block in blocks:
            block.close()
            block.unlink()


def _share(value: Any, blocks: list[SharedMemory]) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    block = SharedMemory(create=True, size=max(value.nbytes, 1))
    blocks.append(block)
    np.ndarray(value.shape, value.dtype, block.buf)[...] = value
    return SharedArray(block.name, value.shape, value.dtype.str)


class Attached:
    """A worker's view of the shared data; the blocks stay open as long as this object lives."""

    def __init__(self, parts: dict[str, Any]) -> None:
        self._blocks: list[SharedMemory] = []
        self.data = Dataset(**{name: self._open(part) for name, part in parts.items()})

    def _open(self, part: Any) -> Any:
        if not isinstance(part, SharedArray):
            return part
        block = SharedMemory(name=part.block)
        self._blocks.append(block)
        return np.ndarray(part.shape, np.dtype(part.dtype), block.buf)
