"""Compiled kernels as a new process would get them, and whether they came from the cache."""

from typing import Any

import numpy as np

from surefoot.compiler.emit.numba import emit
from surefoot.compiler.kernel_plan import plan
from surefoot.compiler.trace import trace
from surefoot.conventions import resolve
from surefoot.engines import jobs, kernels
from surefoot.rules import RULES


def text_of(name: str = "sgd") -> str:
    own = RULES[name]
    return emit(plan(trace(own, own.complete(resolve(name, "torch", {})))), name, "float64")


def anew(text: str | None = None) -> Any:
    """The kernel as a new process would get it."""
    return kernels.compiled.__wrapped__(text or text_of())


def from_disk(kernel: Any) -> bool:
    return sum(kernel.stats.cache_hits.values()) == 1


def run(kernel: Any, chunks: Any, pointers: Any, strides: Any, scalars: Any, keys: Any, first: int, last: int) -> None:
    """Have native code call a kernel for some of its chunks, as an optimizer has."""
    tables = [np.ascontiguousarray(x) for x in (chunks, pointers, strides, scalars, keys)]
    at = [jobs.place(table) for table in tables]
    sizes = (at[1], *pointers.shape, at[2], at[3], *scalars.shape, at[4])
    job = jobs.words(jobs.KERNEL, first, last, 1, kernels.address(kernel), at[0], *sizes)
    jobs.native()[0](jobs.place(job))
