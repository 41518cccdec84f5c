"""One copy of the data for all workers: a thing is pickled with its arrays in shared memory.

Whatever the thing is, pickle hands over the memory of each NumPy array in it apart from the rest (protocol 5). The
driver puts these into blocks and removes them at the end; should it be killed, Python's resource tracker, a process of
its own, removes them. Functions that no worker could import by name travel whole, by cloudpickle, which exists for
that: a model made in a notebook or in the script that is run.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import cloudpickle

from surefoot.errors import UsageError


@dataclass(frozen=True)
class Shared:
    """A pickled thing: what is left of it without its arrays, and where these lie, by name and bytes."""

    rest: bytes
    blocks: tuple[tuple[str, int], ...]


@contextmanager
def shared(thing: Any) -> Iterator[Shared]:
    """Give what it takes to make the thing in another process, for as long as the block runs.

    Raises:
        UsageError: something in it cannot be pickled.
    """
    blocks: list[SharedMemory] = []
    try:
        rest, buffers = _pickled(thing)
        places = []
        for raw in (buffer.raw() for buffer in buffers):
            blocks.append(SharedMemory(create=True, size=max(raw.nbytes, 1)))
            _memory(blocks[-1])[: raw.nbytes] = raw
            places.append((blocks[-1].name, raw.nbytes))
        yield Shared(rest, tuple(places))
    finally:
        for block in blocks:
            block.close()
            block.unlink()


class Attached:
    """A worker's view of a shared thing; the blocks stay open as long as this object lives."""

    def __init__(self, given: Shared) -> None:
        self._blocks = [SharedMemory(name=name) for name, _ in given.blocks]
        views = [_memory(block)[:size] for block, (_, size) in zip(self._blocks, given.blocks, strict=True)]
        self.thing = pickle.loads(given.rest, buffers=views)


def _pickled(thing: Any) -> tuple[bytes, list[pickle.PickleBuffer]]:
    buffers: list[pickle.PickleBuffer] = []
    try:
        return cloudpickle.dumps(thing, protocol=5, buffer_callback=buffers.append), buffers
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(
            f"the task cannot be sent to a worker process: {error}. Make the model in a plain function, and open "
            "files, locks and connections inside it or inside the data set's __getitem__."
        ) from error


def _memory(block: SharedMemory) -> memoryview[int]:
    assert block.buf is not None  # it is None in a closed block only
    return block.buf
