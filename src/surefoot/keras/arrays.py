"""Gradients and weights other than plain float32 arrays: embedding rows, and 16-bit numbers.

Rows of a table come as TensorFlow (`IndexedSlices`) and jax (`BCOO`) have them. Only these rows are stepped where a
weight without a gradient rests, and its state too: SGD's and Adagrad's do, those with a fading mean do not. Whether a
rule's do is not listed but seen, on four weights. A row that a batch asks for twice has the sum of both gradients, at
each mention: all write the same numbers, and no shape depends on the batch.

Weights in 16 bits learn through a copy in float32. Rounded to bfloat16, a step of 1e-3 next to a weight of 1 is no
step, and 0.999 is 1. Rounding at random needs random bits that agree on three backends and inside `jit`, and a bit-cast
that Keras does not have; a copy that the steps add up in is plain arithmetic, the same everywhere, at four bytes a
weight. It is followed only as long as the weight is what the copy rounds to: a weight that was loaded, constrained or
overwritten since replaces it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import backend, ops

from surefoot.rule import Rule
from surefoot.update import update

_HALF = {"bfloat16": (2.0**-8, 0.0), "float16": (2.0**-11, 2.0**-25)}
"""The largest rounding error of each 16-bit format: relative, and absolute near zero."""


def sparse(gradient: Any) -> tuple[Any, Any] | None:
    """Return the row numbers and the values of a gradient in rows; None for any other."""
    if hasattr(gradient, "dense_shape"):
        return gradient.indices, gradient.values
    if getattr(gradient, "n_sparse", None) == 1 and gradient.n_batch == 0:
        return gradient.indices[:, 0], gradient.data
    return None


def dense(gradient: Any) -> Any:
    """Return a gradient as an array of its variable's shape."""
    if hasattr(gradient, "dense_shape"):
        return ops.scatter(ops.expand_dims(gradient.indices, 1), gradient.values, gradient.dense_shape)
    return ops.convert_to_tensor(gradient, sparse=False)


def rests(rule: Rule, hyper: Mapping[str, Any]) -> bool:
    """Return whether weights without a gradient stay, with their state, and matter to no others.

    What is one number for a whole table, or happens at some steps only, is not seen on four weights in one step.
    """
    if rule.shape == "matrix" or rule.numbers(hyper) or rule.after is not None:
        return False
    arrays = {slot: np.linspace(0.1, 0.4, 4) for slot in rule.starts(hyper)}
    weight, gradient = np.linspace(1.0, 2.0, 4), np.array([0.0, 0.0, 1.0, -2.0])

    def after(part: slice) -> dict[str, Any]:
        made = update(rule, weight[part], gradient[part], {slot: x[part] for slot, x in arrays.items()}, 3, hyper)
        return {**made.state, "": made.weight}

    whole, alone = after(slice(None)), after(slice(2, None))
    return all(
        np.array_equal(new, np.concatenate([{**arrays, "": weight}[name][:2], alone[name]]))
        for name, new in whole.items()
    )


def summed(rows: Any, values: Any) -> tuple[Any, Any]:
    """Return rows in order, with repeated rows summed."""
    order = ops.argsort(rows)
    rows, values = ops.take(rows, order, axis=0), ops.take(values, order, axis=0)
    fresh = ops.not_equal(rows, ops.concatenate([rows[:1], rows[:-1]]))
    group = ops.cumsum(ops.cast(fresh, "int32"))
    sums = ops.segment_sum(values, group, num_segments=ops.shape(rows)[0])
    return rows, ops.take(sums, group, axis=0)


def written(variable: Any, rows: Any, values: Any) -> Any:
    """Return what `assign` makes of a variable with some rows replaced."""
    if keras.backend.backend() == "tensorflow":
        return sys.modules["tensorflow"].IndexedSlices(values, rows)
    return ops.scatter_update(ops.convert_to_tensor(variable), ops.expand_dims(rows, 1), values)


def begun(variable: Any, dtype: Any) -> Any:
    """Return a copy of a weight as the start of a slot. Compiled TensorFlow may not read a variable for it."""
    if keras.backend.backend() == "tensorflow":
        with sys.modules["tensorflow"].init_scope():
            variable = ops.convert_to_numpy(variable)
    return ops.copy(ops.cast(variable, dtype))


def apart(values: Sequence[Any], taken: Sequence[Any]) -> list[Any]:
    """Return arrays that share no memory with taken ones or each other."""
    seen = list(taken)
    for value in values:
        seen.append(ops.copy(value) if any(value is other for other in seen) else value)
    return seen[len(taken) :]


def is_half(dtype: Any) -> bool:
    """Return whether a dtype is too coarse to add up steps in."""
    return backend.standardize_dtype(dtype) in _HALF


def kept_dtype(dtype: Any) -> str:
    """Return the dtype of steps and state for weights of this dtype."""
    return "float32" if is_half(dtype) else str(backend.standardize_dtype(dtype))


def widest(kinds: Iterable[Any]) -> str:
    """Return what numbers of all these kinds are computed in together; `keras.backend.result_type` knows no float64."""
    return "float64" if "float64" in {kept_dtype(kind) for kind in kinds} else "float32"


def widened(gradient: Any) -> Any:
    """Return a gradient as a dense array of float32 or wider; None stays None."""
    if gradient is None:
        return None
    whole = dense(gradient)
    return ops.cast(whole, kept_dtype(whole.dtype))


def followed(weight: Any, copy: Any) -> Any:
    """Return the copy where the weight is its rounding, else the weight in float32.

    Distances are compared, not roundings: compilers are free to leave out a rounding to bfloat16 and back (XLA's
    `xla_allow_excess_precision`), after which nothing would be equal. On the CPU they were not seen to.
    """
    relative, absolute = _HALF[backend.standardize_dtype(weight.dtype)]
    given = ops.cast(weight, "float32")
    near = ops.abs(copy - given) <= relative * ops.abs(given) + absolute
    return ops.where(near, copy, given)


def size(variables: Iterable[Any]) -> tuple[int, int]:
    """Return the count and the bytes of the numbers in the arrays among variables, without single numbers."""
    arrays = [ops.convert_to_numpy(one.value) for one in variables if len(one.shape)]
    return sum(array.size for array in arrays), sum(array.nbytes for array in arrays)
