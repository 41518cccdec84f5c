"""The test whether Triton works here, and the folder of its compiled kernels.

Triton needs a GPU and, to talk to its driver, a C compiler; it is asked once, and its answer is the reason that a user
reads. With TRITON_INTERPRET=1 it interprets kernels on the CPU instead, all of them: addresses on a GPU would then lead
nowhere. Where its folder cannot be written, a temporary one serves.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar

from surefoot.errors import SurefootWarning

Result = TypeVar("Result")


def unusable(device_type: str) -> str:
    """Return why Triton cannot step tensors on a type of device; empty if it can."""
    if find_spec("triton") is None:
        return "Triton is not installed: pip install triton"
    interpreted = os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on", "yes", "y")
    if device_type == "cpu" and not interpreted:
        return (
            "Triton's kernels step tensors on a GPU, and these are on the CPU. Move the model with .to('cuda'), or set "
            "TRITON_INTERPRET=1 before Python starts to have the kernels interpreted, which is slow."
        )
    if device_type != "cpu" and interpreted:
        return "with TRITON_INTERPRET=1 Triton steps tensors on the CPU only; unset it"
    return "" if interpreted else _driver_problem()


@functools.lru_cache(maxsize=1)
def _driver_problem() -> str:
    try:
        with_cache(lambda: import_module("triton").runtime.driver.active.get_current_target())
    except Exception as error:  # a compiler, a driver, a GPU may be missing, and each version has its own words
        return f"Triton does not work here: {error or type(error).__name__}"
    return ""


_moved: list[str] = []


def with_cache(call: Callable[[], Result]) -> Result:
    """Call a function that may compile. If Triton's folder cannot be written, use one for this process."""
    try:
        return call()
    except OSError as error:
        if _moved:
            raise
        _moved.append(tempfile.mkdtemp(prefix="surefoot-"))
        atexit.register(shutil.rmtree, _moved[0], ignore_errors=True)
        os.environ["TRITON_CACHE_DIR"] = _moved[0]
        warnings.warn(
            f"Triton cannot keep compiled kernels on disk ({error}); they are compiled anew in each process, which "
            "takes about a second each. Set TRITON_CACHE_DIR to a folder that can be written.",
            SurefootWarning,
            stacklevel=3,
        )
        return call()
