"""The streaming floor: a kernel that moves a rule's bytes and computes nothing.

It goes over the arena's own blocks, as whole numbers of 64 bits, and exchanges each written one by its exclusive or
with those that are only read, under a mask. The benchmark's mask is zero, so that everything stays what it is, which
the compiler cannot know: it has to read and write all of it. It shares no code with the engines whose measure it is,
and waking its threads is part of a turn, not of every step.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import torch
from numpy.typing import NDArray

import surefoot.engines.kernels  # noqa: F401  tells LLVM to vectorize loops over many arrays
from surefoot.bench.arena import Arena
from surefoot.bench.cases import Pass
from surefoot.bench.turns import Clock, Turn

Arrays = list[NDArray[np.int64]]

_TEXT = """\
def sweep({arrays}, mask):
    seen = mask
    for i in range(a0.size):
        x = ({read}) & mask
{body}
    return seen
"""


def sweep_text(reads: int, writes: int) -> str:
    """Return the text of a kernel that reads `reads` arrays and writes the first `writes` of them."""
    names = [f"a{k}" for k in range(reads)]
    body = [f"        {name}[i] = {name}[i] ^ x" for name in names[:writes]] or ["        seen ^= x"]
    read = " ^ ".join(f"{name}[i]" for name in names[writes:])
    return _TEXT.format(arrays=", ".join(names), read=read, body="\n".join(body))


@functools.lru_cache(maxsize=64)
def _sweep(reads: int, writes: int) -> Any:
    space: dict[str, Any] = {}
    exec(sweep_text(reads, writes), space)
    return numba.njit(nogil=True)(space["sweep"])


def floor(arena: Arena, passes: Sequence[Pass], threads: int, mask: int = 0) -> Turn:
    """Return the turn of a kernel that makes all passes over the arena, as often as asked.

    Args:
        arena: whose blocks it reads and writes: the gradients are only read, and so is what a pass does not write.
        passes: how many arrays each reads and writes.
        threads: among how many threads the weights are divided; they start together and do not wait for each other.
        mask: which bits of the read arrays change those of the written ones; 0 leaves everything as it is.
    """
    pool, shares = ThreadPoolExecutor(threads), [_share(arena, passes, threads, k) for k in range(threads)]

    def turn(many: int, clock: Clock) -> float:
        start = clock()
        others = [pool.submit(_work, share, np.int64(mask), many) for share in shares[1:]]
        _work(shares[0], np.int64(mask), many)
        for other in others:
            other.result()
        return clock() - start

    return turn


def _share(arena: Arena, passes: Sequence[Pass], threads: int, k: int) -> list[tuple[Any, Arrays]]:
    """Return the share of thread `k` in each pass: the kernel and its part of every array."""
    arrays = [[block.view(torch.int64).numpy() for block in arena.blocks(reads)] for reads, _ in passes]
    return [
        (_sweep(*own), [np.array_split(array, threads)[k] for array in found])
        for own, found in zip(passes, arrays, strict=True)
    ]


def _work(share: list[tuple[Any, Arrays]], mask: np.int64, many: int) -> None:
    for _ in range(many):
        for sweep, arrays in share:
            sweep(*arrays, mask)
