"""Two transformations as one, for matrices and the rest, as `surefoot.torch.split`.

Roles are read from the paths of the weights when a state is made of them. Later trees may have less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from surefoot.frontends.roles import ROLES, no_matrix, part_of
from surefoot.optax.by_path import path_text, roles

Part = Callable[..., optax.GradientTransformationExtraArgs]
"""Makes a transformation, given which weights decay: `mask=`."""


def two_rules(matrices: Part, rest: Part, *, about: Mapping[str, Any]) -> optax.GradientTransformationExtraArgs:
    """Return one transformation that steps the hidden matrices by one rule, and the rest by another.

    Biases, norms, gains and embeddings do not decay.

    Args:
        matrices: makes the transformation of the matrices.
        rest: makes that of all else.
        about: `head` and `overrides` as for `surefoot.optax.roles`.

    Raises:
        UsageError: when a state is made: no weight is a hidden matrix; as `surefoot.optax.roles`.
    """
    found: dict[str, str] = {}

    def of_each(tree: Any, answer: Callable[[str], Any]) -> Any:
        return jax.tree_util.tree_map_with_path(lambda path, _: answer(found[path_text(path)]), tree)

    def label(tree: Any) -> Any:
        found.update({path: one.role for path, one in roles(tree, **about).items()})
        if not any(ROLES[role].is_matrix for role in found.values()):
            raise no_matrix("weight", "optax.roles")
        return of_each(tree, part_of)

    def decays(tree: Any) -> Any:
        return of_each(tree, lambda role: ROLES[role].decays)

    return optax.partition({"matrices": matrices(mask=decays), "rest": rest(mask=decays)}, label)
