"""Questions to a whole optimizer: its coming rates, and its weights to evaluate with.

A chain shows nothing of its parts. So the optimizer is run, and those of its parts that are ours say what they know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from surefoot.errors import UsageError
from surefoot.optax.leaves import own


def effective_lr(state: Any, gradients: Any, params: Any = None, *, optimizer: optax.GradientTransformation) -> Any:
    """Return the step size of each weight in the coming update.

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
    seen = _watched("watch_rates", optimizer, gradients, state, params)
    if not seen:
        raise UsageError("none of surefoot.optax's rules is part of this optimizer; its rates are not known.")
    return jax.tree.map(lambda _, *rates: _one(rates, optax.MaskedNode()), gradients, *seen)


def evaluation_params(state: Any, params: Any, *, optimizer: optax.GradientTransformation) -> Any:
    """Return the weights to evaluate a model with: Schedule-Free's average, Lookahead's slow ones.

    Of a rule that evaluates with the weights that it trains, these. Train on with `params`, not with what this returns.

    Args:
        state: the optimizer's state.
        params: the weights that the model trains with.
        optimizer: a transformation of ours, `optax.MultiSteps` around one, or one made of them by optax's `chain`,
            `masked`, `partition` or `inject_hyperparams`.

    Returns:
        a tree like the weights', of arrays of which none is the state's.

    Raises:
        UsageError: no rule of ours is part of the optimizer, or two have weights to evaluate with.

    Example:
        >>> optimizer = lookahead(adamw)(1e-3)
        >>> accuracy(evaluation_params(state, params, optimizer=optimizer))
    """
    inner = _inside(optimizer)
    if inner is not None:
        return evaluation_params(state.inner_opt_state, params, optimizer=inner)
    still = jax.tree.map(jnp.zeros_like, params)
    seen = _watched("watch_weights", optimizer, still, state, params)
    if not seen:
        raise UsageError(
            "none of surefoot.optax's rules is part of this optimizer; the weights to evaluate with are not known."
        )
    return jax.tree.map(lambda weight, *others: _one(others, weight), params, *seen)


def _inside(optimizer: Any) -> optax.GradientTransformation | None:
    """Return what `MultiSteps` is around, of itself or of the transformation that it gives."""
    around = getattr(optimizer.update, "__self__", None)
    return around.inner_opt if isinstance(around, optax.MultiSteps) else None


def _watched(question: str, optimizer: Any, gradients: Any, state: Any, params: Any) -> list[Any]:
    """Return the answer of each Surefoot rule in an optimizer: a tree like the gradients', with marks in gaps."""
    seen: list[Any] = []
    ask: Mapping[str, Any] = {question: seen.append}
    optax.with_extra_args_support(optimizer).update(gradients, state, params, **ask)
    try:
        return [jax.tree.map(own, _filled(answer, gradients)) for answer in seen]
    except jax.errors.UnexpectedTracerError:
        raise UsageError(
            "this optimizer runs one of surefoot.optax's under a condition, as optax.apply_if_finite does; give the "
            "one inside, and its part of the state."
        ) from None


def _filled(answer: Any, tree: Any) -> Any:
    """Return an answer with a mark for each leaf that it leaves out, also in masked branches."""

    def fill(part: Any, branch: Any) -> Any:
        return jax.tree.map(lambda _: part, branch) if _masked(part) else part

    return jax.tree.map(fill, answer, tree, is_leaf=_masked)


def _masked(x: Any) -> bool:
    return isinstance(x, optax.MaskedNode)


def _one(answers: tuple[Any, ...], otherwise: Any) -> Any:
    """Return the one answer that there is for a weight."""
    found = [answer for answer in answers if not _masked(answer)]
    if len(found) > 1:
        raise UsageError("two rules of surefoot.optax answer for the same weight; ask each by itself.")
    return found[0] if found else otherwise
