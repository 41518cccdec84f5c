"""What tests alone needed, given back: compiled programs, and memory that the allocator holds."""

import ctypes
import gc
import sys
from operator import attrgetter

import psutil

CACHES = {
    "jax": "clear_caches",
    "torch._dynamo": "reset",
    "surefoot.engines.kernels": "compiled.cache_clear",
    "surefoot.statistics.permutation": "sampled.cache_clear",
    "surefoot.statistics.looks": "_turned.cache_clear",
    "linecache": "clearcache",
}
"""Functions that forget what was compiled, drawn or read, by the module that has them; none is imported for it."""

MUCH = 150 * 2**20
"""Bytes by which the process may grow; a file whose tests compile much would add up to hundreds of megabytes."""

_PROCESS = psutil.Process()
_SIZE = [_PROCESS.memory_info().rss]
"""What the process had when memory was given back last."""


def has_grown() -> bool:
    """Tell whether the process has grown by much since memory was given back."""
    return _PROCESS.memory_info().rss > _SIZE[0] + MUCH


def give_back() -> None:
    """Forget compiled programs, collect, and return free memory to the system."""
    for module, function in CACHES.items():
        if module in sys.modules:
            attrgetter(function)(sys.modules[module])()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    _SIZE[0] = _PROCESS.memory_info().rss


def stay_small() -> None:
    """Load torch's compiler late, as a worker does, and give memory back after a command that trains here."""
    if "torch" in sys.modules:
        from surefoot.training import process

        process.load_compiler_late()
        process.keep_freed_memory = lambda: True
