"""The few mathematical functions that rules are written in, on any kind of array.

A rule imports `sqrt`, `maximum`, `minimum`, `clip`, `absolute`, `sign`, `where` and `total` from here and
nothing from a framework, so the same text runs on Python floats, NumPy arrays, tensors of torch and TensorFlow, jax
arrays and the compiler's symbols. No framework is imported: the argument's type tells which one is in use, and that one
has been imported already by whoever made the array. On Python floats (values that depend only on hyperparameters and
the step count) the arithmetic is float64.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Array = Any
"""A Python float, a NumPy array, a tensor of torch or TensorFlow, a jax array or a symbol of the compiler."""

_GRADIENT: ContextVar[Array] = ContextVar("gradient", default=0.0)
"""What the rule that runs computes on: `where` between two numbers has no other array to take its precision from."""


@contextmanager
def precision_of(gradient: Array) -> Iterator[None]:
    """Let `where` make numbers of the gradient's kind inside."""
    before = _GRADIENT.set(gradient)
    try:
        yield
    finally:
        _GRADIENT.reset(before)


def gradient() -> Array:
    """Return what the rule that runs computes on."""
    return _GRADIENT.get()


def sqrt(x: Array) -> Array:
    """Return the square root, element by element."""
    if isinstance(x, int | float):
        return math.sqrt(x)
    return _namespace(x).sqrt(x)


def maximum(a: Array, b: Array) -> Array:
    """Return the larger of two arrays, element by element; NaN wins."""
    if isinstance(a, int | float):
        a, b = b, a
    return clip(a, b, None) if isinstance(b, int | float) else _namespace(a, b).maximum(a, b)


def minimum(a: Array, b: Array) -> Array:
    """Return the smaller of two arrays, element by element; NaN wins."""
    if isinstance(a, int | float):
        a, b = b, a
    return clip(a, None, b) if isinstance(b, int | float) else _namespace(a, b).minimum(a, b)


def clip(x: Array, low: Array | None, high: Array | None) -> Array:
    """Return `x` moved into [low, high], element by element; None leaves that side open, NaN stays NaN."""
    clipped = _namespace(x, low, high).clip(x, low, high)
    return float(clipped) if _are_numbers(x, *(end for end in (low, high) if end is not None)) else clipped


def expm1(x: Array) -> Array:
    """Return exp(x) - 1 with all its digits where x is near 0, element by element; for `number.py`, not for rules."""
    return _namespace(x).expm1(x)


def log(x: Array) -> Array:
    """Return the natural logarithm, element by element; for `number.py`, not for rules."""
    return _namespace(x).log(x)


def where(condition: Array, a: Array, b: Array) -> Array:
    """Return `a` where the condition holds and `b` elsewhere: the `if` of a rule that looks at values."""
    if isinstance(condition, bool):
        return a if condition else b
    namespace, gradient = _namespace(condition, a, b), _GRADIENT.get()
    if _are_numbers(a, b) and not _are_numbers(gradient) and not hasattr(condition, "__mathops__"):
        like = gradient.real if hasattr(gradient, "__mathops__") else gradient  # of a complex one
        a, b = namespace.full_like(like, a), namespace.full_like(like, b)
    return namespace.where(condition, a, b)


def sign(x: Array) -> Array:
    """Return 1 above 0, -1 below, 0 at 0, element by element; NaN stays NaN."""
    if _are_numbers(x):
        return x if x != x else float((x > 0) - (x < 0))
    namespace = _namespace(x)
    if hasattr(x, "isnan"):  # torch's own makes 0 of NaN
        return namespace.where(x.isnan(), x, x.sign())
    return namespace.sign(x)


def absolute(x: Array) -> Array:
    """Return the size without the sign, element by element."""
    return abs(x)


def freedom(t: Array, beta: Array) -> Array:
    """Return the degrees of freedom of a mean that keeps `beta` of itself each step, after `t` steps."""
    if hasattr(t, "freedom"):  # a count, in float32 perhaps, of which the difference would keep three digits
        return t.freedom(beta)
    return 2 / (1 - beta) - 1 - 2 * t * beta**t / (1 - beta**t)


def total(x: Array) -> Array:
    """Return the sum over a whole tensor, added in float64: what a rule that looks at norms is made of.

    All weights of one parameter then depend on each other; a rule that can do without should.
    """
    if isinstance(x, int | float):
        return x
    namespace = _namespace(x)
    if hasattr(namespace, "total"):
        return namespace.total(x)
    if namespace.__name__ == "jax.numpy":  # which has float64 only where it was told to
        return namespace.sum(x, dtype=namespace.result_type(float)).astype(x.dtype)
    summed = namespace.sum(x, dtype=namespace.float64)
    return summed if hasattr(summed, "requires_grad") else float(summed)


def total_all(x: Array) -> Array:
    """Return the sum over all tensors of an optimizer, added in float64: what Prodigy's kind measures distances by.

    Whoever runs such a rule gives it all tensors at once, as a `Bundle`; a single array is all there is.
    """
    return x.__mathops__().total_all(x) if hasattr(x, "__mathops__") else total(x)


def size(x: Array) -> Array:
    """Return how many weights a whole tensor has."""
    if hasattr(x, "__mathops__"):
        return x.__mathops__().size(x)
    return 1 if isinstance(x, int | float) else math.prod(x.shape)


def mean(x: Array) -> Array:
    """Return the mean over a whole tensor."""
    return total(x) / size(x)


def _are_numbers(*values: Array) -> bool:
    """Whether all of them are Python's own numbers, and so should the result be: NumPy's would widen float32."""
    return all(isinstance(value, int | float) for value in values)


def _namespace(*arrays: Array) -> Any:
    """Return what has these functions for the arguments: a symbol's own, its framework's, or NumPy."""
    for array in arrays:
        if hasattr(array, "__mathops__"):
            return array.__mathops__()
    torch = sys.modules.get("torch")
    if torch is not None and any(isinstance(array, torch.Tensor) for array in arrays):
        return torch
    jax = sys.modules.get("jax")
    if jax is not None and any(isinstance(array, jax.Array) for array in arrays):
        return jax.numpy
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and any(tensorflow.is_tensor(array) for array in arrays):
        return _TensorFlow(tensorflow)
    return sys.modules["numpy"]


class _TensorFlow:
    """These functions in TensorFlow, which names them otherwise."""

    def __init__(self, tensorflow: Any) -> None:
        self.sqrt, self.maximum, self.where = tensorflow.sqrt, tensorflow.maximum, tensorflow.where
        self.minimum = tensorflow.minimum
        self.expm1, self.log = tensorflow.math.expm1, tensorflow.math.log
        self._tensorflow = tensorflow

    def clip(self, x: Array, low: Array | None, high: Array | None) -> Array:
        x = x if low is None else self.maximum(x, low)
        return x if high is None else self.minimum(x, high)

    def full_like(self, x: Array, value: float) -> Array:
        return self._tensorflow.fill(self._tensorflow.shape(x), self._tensorflow.cast(value, x.dtype))

    def sign(self, x: Array) -> Array:
        return self.where(x != x, x, self._tensorflow.sign(x))

    def total(self, x: Array) -> Array:
        tf = self._tensorflow
        return tf.cast(tf.reduce_sum(tf.cast(x, tf.float64)), x.dtype)
