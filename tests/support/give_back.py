"""What a test file alone needed, given back after it: compiled programs, and memory that the allocator holds."""

import ctypes
import gc
import sys

CACHES = {"jax": "clear_caches", "torch._dynamo": "reset"}
"""Functions that forget what was compiled, by the module that has them; none is imported for it."""


def give_back() -> None:
    """Forget compiled programs, collect, and return free memory to the system."""
    for module, function in CACHES.items():
        if module in sys.modules:
            getattr(sys.modules[module], function)()
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
