"""The step size of each weight in the coming update, as the rule names it.

The transformation itself is asked, with all that stands around it: an update passes the rates on to whoever watches,
through optax's extra arguments, which `chain`, `masked`, `partition` and `inject_hyperparams` hand through.
"""

from __future__ import annotations

from typing import Any

import jax
import optax

from surefoot.errors import UsageError


def effective_lr(state: Any, gradients: Any, params: Any = None, *, optimizer: optax.GradientTransformation) -> Any:
    """Return the step size of each weight in the update that these arguments would make.

    It costs about as much as the update, and changes nothing. For SGD it is the learning rate.

    Args:
        state: the optimizer's state, as `optimizer.update` would be given it.
        gradients: the same.
        params: the same.
        optimizer: a transformation of ours, or one made of them by optax's `chain`, `masked`, `partition` or
            `inject_hyperparams`; not `MultiSteps`, of which give the inner one.

    Returns:
        a tree like the gradients': weight moved per unit of the rule's direction. What no rule of ours updates
        is `optax.MaskedNode`.

    Raises:
        UsageError: no rule of ours is part of the optimizer, or more than one updates a weight.

    Example:
        >>> rates = effective_lr(state, gradients, params, optimizer=adabound(1e-3))
    """
    seen: list[Any] = []
    optax.with_extra_args_support(optimizer).update(gradients, state, params, watch_rates=seen.append)
    if not seen:
        raise UsageError("none of surefoot.optax's rules is part of this optimizer; its rates are not known.")
    return jax.tree.map(_one, *seen, is_leaf=_masked)


def _masked(x: Any) -> bool:
    return isinstance(x, optax.MaskedNode)


def _one(*rates: Any) -> Any:
    """Return the one rate that a weight has."""
    found = [rate for rate in rates if not _masked(rate)]
    if len(found) > 1:
        raise UsageError("two rules of surefoot.optax update the same weight; ask each by itself.")
    return found[0] if found else optax.MaskedNode()
