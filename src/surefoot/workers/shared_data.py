"""One copy of the data for all workers of a machine, pickled into a file without a name.

Whatever the thing is, pickle hands over the memory of each NumPy array in it apart from the rest (protocol 5). The
driver writes all of it into a file in memory; its workers inherit the file open and map it, so that what one of them
changes no other sees. The system frees it with the last process that has it open: however the driver ends, nothing is
left behind. Functions that no worker could import by name travel whole, by cloudpickle, which exists for that: a model
made in a notebook or in the script that is run.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import cloudpickle

from surefoot.errors import UsageError

ALIGNMENT = 64
"""Bytes at whose multiples arrays start: what vector instructions like best."""

Places = tuple[tuple[int, int], ...]
"""The places of a pickle's parts in a file: start and size in bytes, first the pickle's own."""


@dataclass(frozen=True)
class Shared:
    """A pickled thing in an open file, and where its parts lie."""

    file: IO[bytes]
    places: Places


@contextmanager
def shared(thing: Any) -> Iterator[Shared]:
    """Yield the open file from which other processes make the thing, while the block runs.

    Raises:
        UsageError: something in it cannot be pickled.
    """
    parts = pickled(thing)
    with _nameless() as file:
        places = []
        for part in parts:
            start = file.seek(-(-file.tell() // ALIGNMENT) * ALIGNMENT)
            places.append((start, file.write(part)))
        file.flush()
        yield Shared(file, tuple(places))


def attached(descriptor: int, places: Places) -> Any:
    """Return the thing in an open file. Its arrays are views of the file until they are written to."""
    memory = memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY))
    return unpickled([memory[start : start + size] for start, size in places])


def pickled(thing: Any) -> list[memoryview[int]]:
    """Return the pickle of a thing without its arrays, then the memory of each array.

    Raises:
        UsageError: something in it cannot be pickled.
    """
    buffers: list[pickle.PickleBuffer] = []
    try:
        rest = cloudpickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UsageError(
            f"the task cannot be sent to a worker process: {error}. Make the model in a plain function, and open "
            "files, locks and connections inside it or inside the data set's __getitem__."
        ) from error
    return [memoryview(rest), *(buffer.raw() for buffer in buffers)]


def unpickled(parts: list[memoryview[int]]) -> Any:
    """Return the thing again; its arrays lie where the parts do."""
    return pickle.loads(parts[0], buffers=parts[1:])


def _nameless() -> IO[bytes]:
    """Return a new file without a name, in memory where possible. It vanishes with its last process."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("surefoot"), "w+b")  # noqa: PTH123  it has no path
    return tempfile.TemporaryFile()
