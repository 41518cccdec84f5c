"""A rule as an optax transformation: state of the weights' shapes, and an update that calls the rule on each leaf.

No formula is here. A leaf is computed in float32, or in float64 if that is its kind, and only what is returned is
rounded to the kind of the weight; state is kept as computed, for a mean of squares in bfloat16 stops growing. The step
count is one for all leaves, as in optax.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from surefoot.count import Count
from surefoot.errors import SurefootWarning, UsageError
from surefoot.number import plain
from surefoot.optax import rounding
from surefoot.optax.hyper import Hyper
from surefoot.optax.leaves import flatten, kind
from surefoot.optax.mask import decaying
from surefoot.rule import WEIGHT, Rule
from surefoot.update import change


class RuleState(NamedTuple):
    """The state of a transformation.

    Attributes:
        count: steps made.
        slots: by the rule's name for it (`m`, `v`), a tree like the weights'.
        base_lr: the learning rate that a schedule is measured against; None unless the rule asks for it.
        key: of random rounding; None without.
    """

    count: Any
    slots: dict[str, Any]
    base_lr: Any
    key: Any


def transformation(rule: Rule, hyper: Hyper, *, mask: Any, key: Any) -> optax.GradientTransformationExtraArgs:
    """Return the transformation of a rule whose hyperparameters are decided."""
    if key is not None:
        rounding.check(key)
    made = _Transformation(rule, hyper, mask, key)
    return optax.GradientTransformationExtraArgs(made.init, made.update)


def described(optimizer: optax.GradientTransformation) -> tuple[Rule, Hyper] | None:
    """Return the rule and the hyperparameters of a transformation of ours; None of another, also if ours is inside."""
    made = getattr(optimizer.init, "__self__", None)
    return (made.rule, made.hyper) if isinstance(made, _Transformation) else None


@dataclass(frozen=True)
class _Transformation:
    rule: Rule
    hyper: Hyper
    mask: Any
    key: Any

    def init(self, params: Any) -> RuleState:
        """Return the state before the first step."""
        _check(params, self.key)
        count = jnp.zeros([], jnp.int32)
        slots = {slot: self._begin(slot, params) for slot in self.rule.starts(self.hyper.fixed)}
        return RuleState(count, slots, self.hyper.lr(count) if self._follows() else None, self.key)

    def _begin(self, slot: str, params: Any) -> Any:
        def begin(leaf: Any) -> Any:
            leaf = jnp.asarray(leaf)
            dtype = kind(leaf)
            start = self.rule.starts(self.hyper.at(0, dtype))[slot]
            return jnp.array(leaf, dtype) if start is WEIGHT else jnp.full_like(leaf, plain(start), dtype=dtype)

        return jax.tree.map(begin, params)

    def _follows(self) -> bool:
        uses = "base_lr" in self.rule.own or not self.hyper.fixed["decay_by_lr"]
        return uses and self.hyper.follows

    def update(
        self,
        updates: Any,
        state: RuleState,
        params: Any = None,
        *,
        watch_rates: Callable[[Any], None] | None = None,
        **extra: Any,  # noqa: ARG002  other transformations' arguments
    ) -> tuple[Any, RuleState]:
        """Return what is to be added to the weights, and the new state."""
        if params is None and (self.hyper.fixed["weight_decay"] or state.key is not None):
            raise UsageError(f"{self.rule.name}: weight decay and random rounding need the weights: give params.")
        if not isinstance(state, RuleState):
            raise UsageError(
                f"{self.rule.name}: the state is a {type(state).__name__}; give what `init` of this transformation "
                "returned."
            )
        gradients, structure = flatten(updates)
        count = optax.safe_increment(state.count)
        step = _Step(self.rule, self.hyper, state, Count(count))
        weights = [None] * len(gradients) if params is None else structure.flatten_up_to(params)
        decays = decaying(self.mask, params, structure) if self.hyper.fixed["weight_decay"] else [True] * len(gradients)
        kept = {slot: structure.flatten_up_to(tree) for slot, tree in state.slots.items()}
        made = [
            step.leaf(i, g, weights[i], {slot: leaves[i] for slot, leaves in kept.items()}, decays[i])
            for i, g in enumerate(gradients)
        ]
        if watch_rates is not None:
            watch_rates(structure.unflatten([leaf.rate() for leaf in made]))
        slots = {slot: structure.unflatten([leaf.state[slot] for leaf in made]) for slot in kept}
        return structure.unflatten([leaf.change for leaf in made]), state._replace(count=count, slots=slots)


class _Leaf(NamedTuple):
    """What a step makes of a leaf."""

    change: Any
    state: Mapping[str, Any]
    rate: Callable[[], Any]


@dataclass(frozen=True)
class _Step:
    """One step: what all leaves have in common."""

    rule: Rule
    hyper: Hyper
    before: RuleState
    t: Count
    _values: dict[Any, dict[str, Any]] = field(default_factory=dict)

    def leaf(self, number: int, gradient: Any, weight: Any, state: Mapping[str, Any], decays: bool) -> _Leaf:
        """Step one leaf; None instead of a gradient leaves its state as it is."""
        if gradient is None:
            return _Leaf(None, state, lambda: None)
        gradient = jnp.asarray(gradient)
        target = gradient if weight is None else jnp.asarray(weight)
        dtype = kind(target)
        hyper = self._hyper_in(dtype) if decays else {**self._hyper_in(dtype), "weight_decay": 0.0}
        given = {slot: value.astype(dtype) for slot, value in state.items()}
        made = change(self.rule, target.astype(dtype), gradient.astype(dtype), given, self.t, hyper)
        new = {slot: made.state[slot].astype(value.dtype) for slot, value in state.items()}

        def rate() -> Any:
            return jnp.broadcast_to(jnp.asarray(plain(made.step.rate), dtype), target.shape)

        return _Leaf(self._rounded(made.weight, target, number), new, rate)

    def _hyper_in(self, dtype: Any) -> dict[str, Any]:
        """Return the hyperparameters for leaves that are computed in `dtype`, made once for all of them."""
        if dtype not in self._values:
            self._values[dtype] = self.hyper.at(self.before.count, dtype, self.before.base_lr)
        return self._values[dtype]

    def _rounded(self, move: Any, target: Any, number: int) -> Any:
        """Return the change in the kind of the weight."""
        if self.before.key is None or target.dtype != jnp.bfloat16:
            return move.astype(target.dtype)
        key = jax.random.fold_in(jax.random.fold_in(self.before.key, self.before.count), number)
        return rounding.rounded_change(move.astype(jnp.float32), target, key)


def _check(params: Any, key: Any) -> None:
    """Raise for weights that no rule takes, and warn of those that will not move."""
    kinds = [(kind(leaf), leaf.dtype) for leaf in map(jnp.asarray, jax.tree.leaves(params))]
    if key is None and any(dtype == jnp.bfloat16 for _, dtype in kinds):
        warnings.warn(
            "weights in bfloat16 stand still under small steps, which round to nothing; give the optimizer a key, "
            "key=jax.random.key(0), say, to round at random, in proportion.",
            SurefootWarning,
            stacklevel=3,
        )
