"""The few mathematical functions that rules are written in, on any kind of array.

A rule imports `sqrt`, `maximum`, `clip`, `where` and `total` from here and nothing from a framework, so the same text
runs on Python floats, NumPy arrays, torch tensors and the compiler's symbols. No framework is imported: the argument's
type tells which one is in use, and that one has been imported already by whoever made the array. On Python floats
(values that depend only on hyperparameters and the step count) the arithmetic is float64.
"""

from __future__ import annotations

import math
import sys
from typing import Any

Array = Any
"""A Python float, a NumPy array, a torch tensor or a symbol of the compiler."""


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


def total(x: Array) -> Array:
    """Return the sum over a whole tensor, added in float64: what a rule that looks at norms is made of.

    All weights of one parameter then depend on each other; a rule that can do without should.
    """
    if isinstance(x, int | float):
        return x
    namespace = _namespace(x)
    if hasattr(x, "__mathops__"):
        return namespace.total(x)
    summed = namespace.sum(x, dtype=namespace.float64)
    return summed.to(x.dtype) if hasattr(summed, "to") else x.dtype.type(summed)


def _namespace(*arrays: Array) -> Any:
    """Return what has these functions for the arguments: a symbol's own, torch for a tensor, else NumPy."""
    for array in arrays:
        if hasattr(array, "__mathops__"):
            return array.__mathops__()
    torch = sys.modules.get("torch")
    if torch is not None and any(isinstance(array, torch.Tensor) for array in arrays):
        return torch
    return sys.modules["numpy"]
