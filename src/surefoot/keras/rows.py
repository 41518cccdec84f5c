"""Gradients of an embedding: rows of a table, as TensorFlow (`IndexedSlices`) and jax (`BCOO`) have them.

Only these rows are stepped where a weight without a gradient rests, and its state too: SGD's and Adagrad's do, those
with a fading mean do not. Whether a rule's do is not listed but seen, on four weights. A row that a batch asks for
twice has the sum of both gradients, at each mention: all write the same numbers, and no shape depends on the batch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from surefoot.rule import Rule
from surefoot.update import update


def sparse(gradient: Any) -> tuple[Any, Any] | None:
    """Return the numbers of a gradient's rows and what stands in them; None of a gradient that is not of rows."""
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
    """Return whether weights without a gradient stay, with their state, and matter to no others."""
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
    """Return rows in order, each mention of one with the sum of all that stands at it."""
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
