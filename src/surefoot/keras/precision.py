"""Weights in 16 bits learn through a copy in float32, and everything else that an optimizer keeps is float32 too.

Rounded to bfloat16, a step of 1e-3 next to a weight of 1 is no step, and 0.999 is 1. Two cures are known. Rounding at
random needs random bits that agree on three backends and inside `jit`, and a bit-cast that Keras does not have; a copy
that the steps add up in is plain arithmetic, the same everywhere, at four bytes a weight. It is followed only as long
as the weight is what the copy rounds to: a weight that was loaded, constrained or overwritten since replaces it.
"""

from __future__ import annotations

from typing import Any

from keras import backend, ops

from surefoot.keras.rows import dense

_HALF = {"bfloat16": (2.0**-8, 0.0), "float16": (2.0**-11, 2.0**-25)}
"""For each format in 16 bits, the largest error of rounding to it: relative, and absolute where numbers end."""


def is_half(dtype: Any) -> bool:
    """Whether numbers of this kind are too coarse to add steps up in."""
    return backend.standardize_dtype(dtype) in _HALF


def kept_dtype(dtype: Any) -> str:
    """Return the kind of numbers that a step is computed in and an optimizer keeps, for weights of this kind."""
    return "float32" if is_half(dtype) else str(backend.standardize_dtype(dtype))


def widened(gradient: Any) -> Any:
    """Return a gradient as a dense array of float32 or wider; None stays None."""
    if gradient is None:
        return None
    whole = dense(gradient)
    return ops.cast(whole, kept_dtype(whole.dtype))


def followed(weight: Any, copy: Any) -> Any:
    """Return the copy where the weight is what it rounds to, else the weight: float32.

    Distances are compared, not roundings: compilers are free to leave out a rounding to bfloat16 and back (XLA's
    `xla_allow_excess_precision`), after which nothing would be equal. On the CPU they were not seen to.
    """
    relative, absolute = _HALF[backend.standardize_dtype(weight.dtype)]
    given = ops.cast(weight, "float32")
    near = ops.abs(copy - given) <= relative * ops.abs(given) + absolute
    return ops.where(near, copy, given)
