"""The leaves of a tree of weights: which kinds of numbers a rule takes, and in which it computes them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from surefoot.compiler.plan import COMPUTE
from surefoot.errors import UsageError


def kind(leaf: Any) -> Any:
    """Return the kind of numbers in which a leaf is computed and its state kept: float32 for halves, else its own.

    Raises:
        UsageError: the leaf is complex, or no floating-point numbers.
    """
    name = str(leaf.dtype)
    if jnp.issubdtype(leaf.dtype, jnp.complexfloating):
        raise UsageError(
            f"a leaf of shape {leaf.shape} is {name}, and rules are made for real numbers; "
            "optax.contrib.split_real_and_imaginary around the optimizer gives it real and imaginary parts."
        )
    if name not in COMPUTE:
        raise UsageError(
            f"a leaf of shape {leaf.shape} is {name}; expected {', '.join(COMPUTE)}. "
            "optax.masked or optax.partition can leave it out, and so can None in its place."
        )
    return jnp.dtype(COMPUTE[name])


def is_none(x: Any) -> bool:
    """Return whether a part of a tree is None, which stands for a leaf that is left out."""
    return x is None


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """Return the leaves of a tree, None among them, and its structure."""
    leaves, structure = jax.tree.flatten(tree, is_leaf=is_none)
    return leaves, structure
