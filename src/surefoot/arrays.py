"""The framework of an array, and that framework's functions under NumPy's names.

No framework is imported: the argument's type tells which one is in use, and that one has been imported already by
its maker.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Array = Any
"""A Python float, a NumPy array, a tensor of torch or TensorFlow, a jax array or a symbol of the compiler."""


def are_numbers(*values: Array) -> bool:
    """Return whether all are Python's own numbers. The result should be one too: NumPy's would widen float32."""
    return all(isinstance(value, int | float) for value in values)


def namespace_of(*arrays: Array) -> Any:
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


def dtype_name(x: Array) -> str:
    """Return the kind of number of an array, as every framework calls it."""
    return str(getattr(x.dtype, "name", x.dtype)).rpartition(".")[2]


def cast(x: Array, dtype: str) -> Array:
    """Return an array in another kind of number, by its name."""
    namespace = namespace_of(x)
    if hasattr(namespace, "cast"):
        return namespace.cast(x, dtype)
    kind = getattr(namespace, dtype, x.dtype)  # NumPy has no bfloat16: it stays with what is more exact
    return x.to(kind) if hasattr(x, "to") else x.astype(kind)


def either(condition: Array, new: Callable[[], Array], old: Callable[[], Array]) -> Array:
    """Return the result of one of two functions. The other does not run, unless a framework runs batches."""
    jax, tensorflow = sys.modules.get("jax"), sys.modules.get("tensorflow")
    if jax is not None and isinstance(condition, jax.Array):
        return jax.lax.cond(condition, new, old)
    if tensorflow is not None and tensorflow.is_tensor(condition):
        return tensorflow.cond(condition, new, old)
    return new() if condition else old()


class _TensorFlow:
    """These functions in TensorFlow, which names them otherwise."""

    def __init__(self, tensorflow: Any) -> None:
        self.sqrt, self.maximum, self.where = tensorflow.sqrt, tensorflow.maximum, tensorflow.where
        self.minimum, self.arctan2 = tensorflow.minimum, tensorflow.math.atan2
        self.expm1, self.log = tensorflow.math.expm1, tensorflow.math.log
        self.transpose, self.cast, self.stack = tensorflow.transpose, tensorflow.cast, tensorflow.stack
        self.matrix_transpose = tensorflow.linalg.matrix_transpose
        self.linalg, self.argsort, self.any = tensorflow.linalg, tensorflow.argsort, tensorflow.reduce_any
        self.cumsum, self.ones_like, self.flip = tensorflow.cumsum, tensorflow.ones_like, tensorflow.reverse
        self.sum, self.isfinite = tensorflow.reduce_sum, tensorflow.math.is_finite
        self._tensorflow = tensorflow

    def clip(self, x: Array, low: Array | None, high: Array | None) -> Array:
        x = x if low is None else self.maximum(x, low)
        return x if high is None else self.minimum(x, high)

    def full_like(self, x: Array, value: float) -> Array:
        return self._tensorflow.fill(self._tensorflow.shape(x), self._tensorflow.constant(value, x.dtype))

    def mean(self, x: Array, axis: int, *, keepdims: bool) -> Array:
        return self._tensorflow.reduce_mean(x, axis, keepdims=keepdims)

    def take(self, x: Array, order: Array, axis: int) -> Array:
        return self._tensorflow.gather(x, order, axis=axis)

    def sign(self, x: Array) -> Array:
        return self.where(x != x, x, self._tensorflow.sign(x))

    def total(self, x: Array) -> Array:
        tf = self._tensorflow
        return tf.cast(tf.reduce_sum(tf.cast(x, tf.float64)), x.dtype)
