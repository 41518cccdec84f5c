"""Checks of numbers that every function of this room makes, with one form of error.

A figure that is not finite belongs to a trial that diverged. Each function says how it treats such trials, so none may
slip into a mean, a rank or a resample.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import UsageError

Numbers = NDArray[np.float64]


def finite(values: Sequence[float] | Numbers, name: str, least: int = 1) -> Numbers:
    """Return the values as an array; `UsageError` unless they are one row of at least `least` finite numbers."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) < least:
        raise UsageError(f"{name} has shape {array.shape}; expected a row of at least {least} numbers.")
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)][0]
        raise UsageError(f"{name} has {bad} in it; expected finite numbers. Leave trials that diverged out of it.")
    return array


def pairs(a: Sequence[float] | Numbers, b: Sequence[float] | Numbers) -> tuple[Numbers, Numbers]:
    """Return both rows as arrays; `UsageError` unless they are finite and equally long."""
    left, right = finite(a, "a"), finite(b, "b")
    if len(left) != len(right):
        raise UsageError(f"a has {len(left)} values and b {len(right)}; expected pairs, one for each seed in both.")
    return left, right


def count(value: int, name: str, least: int = 1) -> int:
    """Return the value; `UsageError` unless it is a whole number of at least `least`."""
    if value != int(value) or value < least:
        raise UsageError(name, f" is {value}; expected a whole number of at least {least}.")
    return int(value)


def positive(value: float, name: str) -> float:
    """Return the value; `UsageError` unless it is finite and above 0."""
    if not (np.isfinite(value) and value > 0):
        raise UsageError(f"{name} is {value}; expected a finite number above 0.")
    return value
