"""The leaves of a tree of weights: which move, which decay, their dtypes and their rounding.

A leaf of which only shape and dtype are known, such as a `jax.ShapeDtypeStruct`, is as good as an array where no value
is asked for. Integers and booleans are passed through: they have no gradient.

optax adds what we return to the weight and rounds the sum to nearest. With a `key` the sum is rounded here first, up or
down with the odds of the distance to either, so that small steps count, and the difference of two bfloat16 numbers is
returned, which that addition makes good: exactly, unless the weight more than doubles or halves in one step, or changes
its sign, where the difference itself is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from surefoot.errors import UsageError


def described(leaf: Any) -> Any:
    """Return a leaf with a shape and a dtype: itself, or the array of a plain number."""
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
    """Return an array in another dtype. Complex numbers become real by their real part."""
    loses = is_complex(value.dtype) and not is_complex(dtype)
    return (jnp.real(value) if loses else value).astype(dtype)


def own(value: Any) -> Any:
    """Return an array in memory of its own, so that a state can be donated. A number stays one."""
    return jnp.array(value, copy=True) if isinstance(value, jax.Array) else value


def apart(values: Mapping[str, Any], *others: Any) -> dict[str, Any]:
    """Return arrays that share no memory with others or each other. A rule may return its input."""
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


def decaying(mask: Any, params: Any, structure: Any) -> list[bool]:
    """Return for each leaf of a structure whether it decays.

    Args:
        mask: a tree, a function of the weights that returns one, or None for all.
        params: the weights.
        structure: the gradients', whose leaves are asked about.

    Raises:
        UsageError: the mask is no such tree.
    """
    if mask is None:
        return [True] * structure.num_leaves
    tree = mask(params) if callable(mask) else mask
    try:
        whole = jax.tree.map(lambda asked, part: jax.tree.map(lambda _: _flag(asked), part), tree, params)
    except ValueError as error:
        raise UsageError(
            f"mask is no tree of the weights: {error}; give a tree of True and False like theirs, a prefix of it, or a "
            "function that makes one of them."
        ) from error
    return [leaf is True for leaf in structure.flatten_up_to(whole)]


def _flag(asked: Any) -> bool:
    if isinstance(asked, bool) or str(getattr(asked, "dtype", None)) == "bool":
        return bool(asked)
    raise UsageError(f"mask has {asked!r} where True or False is expected: whether these weights decay.")


def check_key(key: Any) -> None:
    """Raise `UsageError` if `key` is no key of jax.random."""
    dtype = getattr(key, "dtype", None)
    if dtype is None or not (jnp.issubdtype(dtype, jax.dtypes.prng_key) or dtype == jnp.uint32):
        raise UsageError(f"key={key!r} is not a key; give jax.random.key(0), say.")


def rounded_change(change: Any, weight: Any, key: Any) -> Any:
    """Return the bfloat16 change that takes a bfloat16 weight to a neighbour of its exact target."""
    before = weight.astype(jnp.float32)
    return (stochastic(before + change, key) - before).astype(jnp.bfloat16)


def stochastic(x: Any, key: Any) -> Any:
    """Return float32 numbers that bfloat16 can hold. Those that it holds already stay, as do non-finite ones.

    Derivatives are those of a plain conversion.
    """
    random = jax.random.bits(key, x.shape, jnp.uint16).astype(jnp.uint32)
    bits = (lax.bitcast_convert_type(x, jnp.uint32) + random) & jnp.uint32(0xFFFF0000)
    rounded = lax.bitcast_convert_type(bits, jnp.float32)
    return jnp.where(jnp.isfinite(x), x + lax.stop_gradient(rounded - x), x)


def size(tree: Any) -> tuple[int, int]:
    """Return the count and the bytes of the numbers in a tree's arrays, without single numbers."""
    arrays = [leaf for leaf in jax.tree.leaves(tree) if getattr(leaf, "ndim", 0)]
    return sum(array.size for array in arrays), sum(array.size * array.dtype.itemsize for array in arrays)


def looked_up(values: Sequence[float]) -> Callable[[Any], Any]:
    """Return a schedule of these values, one a step. The last one stays."""
    table = jnp.asarray(values)
    return lambda count: table[jnp.minimum(count, len(values) - 1)]
