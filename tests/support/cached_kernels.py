"""Compiled kernels as a new process would get them, and whether they came from the cache."""

from typing import Any

from surefoot.compiler.emit.numba import emit
from surefoot.compiler.plan import plan
from surefoot.compiler.trace import trace
from surefoot.conventions import resolve
from surefoot.engines import kernels
from surefoot.rules import RULES


def text_of(name: str = "sgd") -> str:
    own = RULES[name]
    return emit(plan(trace(own, own.complete(resolve(name, "torch", {})))), name, "float64")


def anew(text: str | None = None) -> Any:
    """The kernel as a new process would get it."""
    return kernels.compiled.__wrapped__(text or text_of())


def from_disk(kernel: Any) -> bool:
    return sum(kernel.stats.cache_hits.values()) == 1
