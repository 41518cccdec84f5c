"""The CPU engine: the rule's generated kernel, all tensors of a step in one pass over memory.

It takes tensors in CPU memory, however they lie there as long as weights do not share memory. The kernel works on
memory that torch owns, so autograd is told of every tensor that it wrote. Large steps are split among as many threads
as torch uses; weights do not depend on each other, so the split does not show in the numbers.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import torch
from numpy.typing import NDArray

from surefoot.engines.launch import Launch

SPLIT = 1 << 19
"""Weights in a step for each thread: to wake one takes as long as to step a quarter of them."""

PARTS = 8
"""Parts of a step for each thread: whoever is done first takes the next."""


def run(launch: Launch, values: Sequence[Mapping[str, Any]]) -> None:
    """Step every tensor of a launch; `values` are the hyperparameters of each group."""
    from surefoot.engines.kernels import compiled  # imports Numba, which takes a while: not before it is needed

    tables = launch.tables(values)
    threads = _threads(launch, len(tables.chunks))
    count = threads * PARTS if threads > 1 else 1
    ends = [len(tables.chunks) * k // count for k in range(count + 1)]
    parts, kernel = iter([*pairwise(ends)]), compiled(launch.kernel.text)
    _share(threads, functools.partial(_work, launch, kernel, parts, *tables))


def _work(_alive: Launch, kernel: Any, parts: Iterator[tuple[int, int]], *tables: NDArray[Any]) -> None:
    """Step the parts that no other thread has taken; the launch is passed so that its tensors live until it is done."""
    for first, last in parts:
        kernel(*tables, first, last)


def _threads(launch: Launch, chunks: int) -> int:
    """Return how many threads are worth it; one for weights that share memory, which move one after the other."""
    wanted = min(torch.get_num_threads(), chunks, launch.size // SPLIT)
    return 1 if wanted <= 1 or launch.overlaps else wanted


def _share(threads: int, work: Callable[[], None]) -> None:
    """Run `work` in this thread and in others at once; it divides among those that call it what there is to do."""
    helpers = []
    with contextlib.suppress(RuntimeError):  # when Python ends it starts no thread any more; then this one does it all
        for _ in range(threads - 1):
            helpers.append(_pool(os.getpid()).submit(work))
    work()
    for helper in helpers:
        helper.result()


@functools.lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:  # noqa: ARG001
    """Return this process's helper threads; a forked child has none of its parent's and makes its own."""
    return ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="surefoot")
