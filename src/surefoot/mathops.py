"""The few mathematical functions that rules are written in, on any kind of array.

A rule imports `sqrt`, `maximum`, `clip` and `where` from here and nothing from a framework, so the same text runs on
Python floats, NumPy arrays and torch tensors. No framework is imported: the argument's type tells which
one is in use, and that one has been imported already by whoever made the array. On Python floats (values that depend
only on hyperparameters and the step count) the arithmetic is float64.
"""

from __future__ import annotations

import math
import sys
from typing import Any

Array = Any
"""A Python float, a NumPy array or a torch tensor."""


def sqrt(x: Array) -> Array:
    """Return the square root, element by element."""
    if isinstance(x, int | float):
        return math.sqrt(x)
    return _namespace(x).sqrt(x)


def maximum(a: Array, b: Array) -> Array:
    """Return the larger of two arrays, element by element; NaN wins."""
    return _namespace(a, b).maximum(a, b)


def clip(x: Array, low: Array | None, high: Array | None) -> Array:
    """Return `x` moved into [low, high], element by element; None leaves that side open, NaN stays NaN."""
    return _namespace(x, low, high).clip(x, low, high)


def where(condition: Array, a: Array, b: Array) -> Array:
    """Return `a` where the condition holds and `b` elsewhere: the `if` of a rule that looks at values."""
    if isinstance(condition, bool):
        return a if condition else b
    return _namespace(condition, a, b).where(condition, a, b)


def _namespace(*arrays: Array) -> Any:
    """Return the module that owns the first argument that is an array: torch if it is a tensor, else NumPy."""
    torch = sys.modules.get("torch")
    if torch is not None and any(isinstance(array, torch.Tensor) for array in arrays):
        return torch
    return sys.modules["numpy"]
