"""Values that a user gives: what counts as a number, what a function is called, and names that are taken.

NumPy's and other libraries' scalars count like Python's. A truth value never does, although Python says that True is 1.
"""

from __future__ import annotations

from collections.abc import Container
from itertools import count
from numbers import Integral, Real
from typing import Any, TypeGuard

import numpy as np


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value is a real number of any library, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: Any) -> TypeGuard[int]:
    """Return whether a value is a whole number by its type, as is 1 and not 1.0, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def plain_number(value: Any) -> Any:
    """Return NumPy's scalars as Python's own numbers, in lists and tuples too, and all else as it is."""
    if isinstance(value, np.generic):
        return value.item()
    return type(value)(map(plain_number, value)) if type(value) in (list, tuple) else value


def name_of(function: Any) -> str:
    """Return what a function is called, or the class of an object."""
    return str(getattr(function, "__name__", type(function).__name__))


def free_name(wanted: str, taken: Container[str], form: str = "{} ({})") -> str:
    """Return a name or, if it is taken, the same with the first free number: "Adam (2)"."""
    numbered = (form.format(wanted, number) for number in count(2))
    return wanted if wanted not in taken else next(name for name in numbered if name not in taken)
