"""Which weights decay: optax's `mask`, a tree of True and False like the weights' or a prefix of it."""

from __future__ import annotations

from typing import Any

import jax


def decaying(mask: Any, params: Any, structure: Any) -> list[bool]:
    """Return for each leaf of a structure whether it decays.

    Args:
        mask: a tree, a function of the weights that returns one, or None for all.
        params: the weights.
        structure: the gradients', whose leaves are asked about.
    """
    if mask is None:
        return [True] * structure.num_leaves
    tree = mask(params) if callable(mask) else mask
    whole = jax.tree.map(lambda asked, part: jax.tree.map(lambda _: bool(asked), part), tree, params)
    return [leaf is True for leaf in structure.flatten_up_to(whole)]
