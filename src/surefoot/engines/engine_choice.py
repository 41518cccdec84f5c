"""The engine of a tensor, and the call of it."""

from __future__ import annotations

import functools
import os

import torch

from surefoot.engines.gpu import BLOCK
from surefoot.engines.kernel_choice import Kernel, eager_instead
from surefoot.engines.launch_tables import CHUNK, Launch
from surefoot.engines.triton_setup import unusable

ENGINES = ("auto", "cpu", "gpu", "eager")
"""The choices of a user: the best engine, or one by name."""

_CHUNK = {"cpu": CHUNK, "gpu": BLOCK}
_BEST = {"cpu": "cpu", "cuda": "gpu"}
"""The best engine for each type of device. Torch calls an AMD GPU `cuda` too."""


def engine(wanted: str, device: torch.device, *, counted: bool = False) -> str:
    """Return which engine's kernels step tensors on a device; empty if the eager engine does.

    Where another one was to be expected, a warning says why not, once.

    Args:
        wanted: one of `ENGINES`.
        device: of the tensors.
        counted: step counts are tensors, which the host must not read.
    """
    chosen = _BEST.get(device.type, "") if wanted == "auto" else wanted
    if chosen == "cpu":
        return "" if counted or not _usable("cpu", device.type) else "cpu"
    return "gpu" if chosen == "gpu" and _usable("gpu", device.type) else ""


@functools.lru_cache(maxsize=64)
def _usable(engine: str, device_type: str) -> bool:
    """Return whether an engine can step tensors on a type of device; warn if not."""
    reason = unusable(device_type) if engine == "gpu" else _without_numba(device_type)
    if reason:
        eager_instead(f"tensors on {device_type} run", reason)
    return not reason


def _without_numba(device_type: str) -> str:
    if device_type != "cpu":
        return "engine='cpu' steps tensors on the CPU only"
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return "NUMBA_DISABLE_JIT is set; unset it"
    return ""


def observed() -> bool:
    """Return whether something records torch's operations, such as `make_fx`. It would miss a kernel."""
    if torch._C._len_torch_dispatch_stack():
        return True
    return torch._C._functorch.peek_interpreter_stack() is not None


def launch(engine: str, kernel: Kernel, seed: int, *, counted: bool = False) -> Launch:
    """Return an empty launch of a kernel for an engine. `seed` drives random rounding."""
    return Launch(kernel, seed, _CHUNK[engine], counted=counted)
