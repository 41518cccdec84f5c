"""Values that a user gives: what counts as a number, and what a function is called.

NumPy's and other libraries' scalars count like Python's. A truth value never does, although Python says that True is 1.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, TypeGuard


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a real number of any library, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: Any) -> TypeGuard[int]:
    """Return whether a value is a whole number by its type, as is 1 and not 1.0, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def name_of(function: Any) -> str:
    """Return what a function is called, or the class of an object."""
    return str(getattr(function, "__name__", type(function).__name__))
