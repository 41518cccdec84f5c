"""The check that a parameter set fits into memory, before the system has to decide.

A case takes its arena, what jax keeps for itself, and what others make on their way: lists of tensors as large as all
weights together (torch's foreach; the eager engine, which writes nothing before all is computed), and arrays as large
as the largest tensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import prod
from pathlib import Path

import psutil

from surefoot.bench.cases import BenchCase
from surefoot.bench.shapes import ParameterSet
from surefoot.errors import UsageError

LISTS = 3
"""Lists of tensors that foreach holds beside weights, gradients and state, at most (AMSGrad, Adadelta)."""

BESIDE_LISTS = 10
"""Arrays of the largest tensor's size that the eager engine holds at a time, at most."""

MARGIN = 1.1


def needed(parameters: ParameterSet, case: BenchCase, size: int, *, jax: bool) -> int:
    """Return about how many bytes a case takes, its numbers of `size` bytes each."""
    largest = max(map(prod, parameters.shapes))
    copies = 2 if jax else 1
    lists = max(LISTS, case.arrays - 1) * parameters.weights
    numbers = parameters.weights * case.arrays * copies + lists + BESIDE_LISTS * largest
    return int(MARGIN * size * numbers)


def check(sets: Sequence[ParameterSet], cases: Sequence[BenchCase], size: int, *, jax: bool) -> None:
    """Raise `UsageError` if some case of some set does not fit into the memory that is free."""
    free = available()
    for parameters in sets:
        most = max(needed(parameters, case, size, jax=jax) for case in cases)
        if most > free:
            raise UsageError(
                f"the set {parameters.name} needs about {most / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are "
                "free; choose a smaller set, or fewer rules."
            )


def available() -> int:
    """Return the bytes that this process may still take."""
    of_machine, of_container = int(psutil.virtual_memory().available), _of_container()
    return of_machine if of_container is None else min(of_machine, of_container)


def _of_container(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return what the control group of a container leaves; None without a limit."""
    with suppress(OSError, ValueError):  # the limit may be the word "max"
        return int((folder / "memory.max").read_text()) - int((folder / "memory.current").read_text())
    return None
