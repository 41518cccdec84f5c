"""Which weights decay: optax's `mask`, a tree of True and False like the weights' or a prefix of it."""

from __future__ import annotations

from typing import Any

import jax

from surefoot.errors import UsageError


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
