"""The leaves of a tree of weights: which of them a rule moves, in which numbers it computes, and what is its own.

A leaf of which only shape and dtype are known, such as a `jax.ShapeDtypeStruct`, is as good as an array where no value
is asked for. Integers and booleans are passed through: they have no gradient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from surefoot.errors import UsageError


def described(leaf: Any) -> Any:
    """Return a leaf that has a shape and a dtype: itself, or the array that a number stands for."""
    return leaf if hasattr(leaf, "shape") and hasattr(leaf, "dtype") else jnp.asarray(leaf)


def dtype_of(leaf: Any) -> Any:
    """Return the kind of numbers that jax has for a leaf."""
    return jax.dtypes.canonicalize_dtype(leaf.dtype)


def moves(dtype: Any) -> bool:
    """Return whether numbers of this kind are weights, which have a gradient."""
    return bool(jnp.issubdtype(dtype, jnp.inexact))


def is_complex(dtype: Any) -> bool:
    """Return whether numbers of this kind are complex."""
    return bool(jnp.issubdtype(dtype, jnp.complexfloating))


def kind(dtype: Any) -> Any:
    """Return the real numbers in which weights of this kind are computed: float32 at least."""
    own_kind = jnp.finfo(dtype).dtype
    return own_kind if own_kind.itemsize >= 4 else jnp.dtype("float32")


def fitted(value: Any, dtype: Any) -> Any:
    """Return an array in another kind of numbers; of complex ones as real the real part."""
    loses = is_complex(value.dtype) and not is_complex(dtype)
    return (jnp.real(value) if loses else value).astype(dtype)


def own(value: Any) -> Any:
    """Return an array that shares its memory with no other, so that a state can be donated; a number stays one."""
    return jnp.array(value, copy=True) if isinstance(value, jax.Array) else value


def apart(values: Mapping[str, Any], *others: Any) -> dict[str, Any]:
    """Return arrays of which none is another's or one of the others: a rule may return what it was given."""
    made: dict[str, Any] = {}
    for name, value in values.items():
        taken = any(value is other for other in (*others, *made.values()))
        made[name] = own(value) if taken else value
    return made


def check_shapes(name: str, *arrays: Any) -> None:
    """Raise `UsageError` unless weight, gradient and state have one shape."""
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise UsageError(
            f"{name}: gradient, weight and state of a leaf have the shapes {', '.join(map(str, sorted(shapes)))}; "
            "give gradients of the weights' shapes, and the state that `init` made for these weights."
        )


def is_none(x: Any) -> bool:
    """Return whether a part of a tree is None, which stands for a leaf that is left out."""
    return x is None


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves of a tree, None among them, and its structure."""
    leaves, structure = jax.tree.flatten(tree, is_leaf=is_none)
    return leaves, structure
