"""A rule as an optax transformation: state of the weights' shapes, and an update that calls the rule on each leaf.

No formula is here. A leaf is computed in float32, or in float64 if that is its kind, and only what is returned is
rounded to the kind of the weight; state is kept as computed unless another kind is asked for (`kept`), for a mean of
squares in bfloat16 stops growing. The step count is one for all leaves, as in optax. No array of a state is also
another's: the user may donate it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from surefoot.errors import SurefootWarning, UsageError
from surefoot.frontends.number import Count, plain
from surefoot.optax.hyper import Hyper
from surefoot.optax.leaves import (
    apart,
    check_key,
    check_shapes,
    decaying,
    described,
    dtype_of,
    fitted,
    is_complex,
    kind,
    moves,
    own,
    rounded_change,
)
from surefoot.optax.plane import Vector, flat
from surefoot.rule import WEIGHT, Rule
from surefoot.update import change


class RuleState(NamedTuple):
    """The state of a transformation.

    Attributes:
        count: steps made.
        slots: by the rule's name for it (`m`, `v`), a tree like the weights'.
        base_lr: the learning rate that a schedule is measured against; None unless the rule asks for it. An option
            `base_lr` stands above it.
        key: of random rounding; None without.
    """

    count: Any
    slots: dict[str, Any]
    base_lr: Any
    key: Any


def transformation(
    rule: Rule, hyper: Hyper, *, mask: Any, key: Any, kept: Mapping[str, Any]
) -> optax.GradientTransformationExtraArgs:
    """Return the transformation of a rule whose hyperparameters are decided.

    Args:
        rule: which rule.
        hyper: its hyperparameters.
        mask: which weights decay.
        key: of random rounding.
        kept: the kind of numbers of each slot that is to be kept in another than the steps are computed in.
    """
    if key is not None:
        check_key(key)
    made = _Transformation(rule, hyper, mask, key, kept)
    return optax.GradientTransformationExtraArgs(made.init, made.update)


def rule_of(optimizer: optax.GradientTransformation) -> tuple[Rule, Hyper] | None:
    """Return the rule and the hyperparameters of a transformation of ours; None of another, also if ours is inside."""
    made = getattr(optimizer.init, "__self__", None)
    return (made.rule, made.hyper) if isinstance(made, _Transformation) else None


@dataclass(frozen=True)
class _Transformation:
    rule: Rule
    hyper: Hyper
    mask: Any
    key: Any
    kept: Mapping[str, Any]

    def init(self, params: Any) -> RuleState:
        """Return the state before the first step."""
        _warn(params, self.key)
        slots = {slot: jax.tree.map(partial(self._begin, slot), params) for slot in self._slots}
        measures = "base_lr" in self.rule.own or not self.hyper.fixed["decay_by_lr"]
        return RuleState(jnp.zeros([], jnp.int32), slots, self.hyper.base() if measures else None, own(self.key))

    @property
    def _slots(self) -> Iterable[str]:
        return self.rule.starts(self.hyper.fixed)

    def _begin(self, slot: str, leaf: Any) -> Any:
        """Return a slot of one leaf before the first step."""
        leaf = described(leaf)
        if not moves(dtype := dtype_of(leaf)):
            return jnp.zeros_like(leaf)
        start, kept = self.rule.starts(self.hyper.at(0, kind(dtype)))[slot], self._kept(slot, dtype)
        if start is not WEIGHT:
            return jnp.full_like(leaf, own(plain(start)), dtype=kept)
        known = not isinstance(leaf, jax.ShapeDtypeStruct)
        return jnp.array(leaf, kept, copy=True) if known else jax.ShapeDtypeStruct(leaf.shape, kept)

    def _kept(self, slot: str, dtype: Any) -> Any:
        kept = self.kept.get(slot, kind(dtype))
        is_plane = is_complex(dtype) and slot not in self.rule.positive
        return jnp.promote_types(kept, jnp.complex64) if is_plane else kept

    def _check(self, state: Any) -> None:
        if not isinstance(state, RuleState):
            what = f"is a {type(state).__name__}"
        elif set(state.slots) != set(self._slots):
            what = f"has {_listed(state.slots)}, where this rule and its options keep {_listed(self._slots)}"
        else:
            return
        raise UsageError(f"{self.rule.name}: the state {what}; give what `init` of this transformation returned.")

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
        self._check(state)
        reads_weights = self.rule.sees_weight or self.hyper.fixed["weight_decay"] or state.key is not None
        if params is None and reads_weights:
            raise UsageError(
                f"{self.rule.name}: the rule, weight decay or random rounding needs the weights: give params."
            )
        gradients, structure = jax.tree.flatten(updates, is_leaf=lambda x: x is None)  # None is a leaf that is left out
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
        """Step one leaf; without a gradient, or of integers, it stays and so does its state."""
        if gradient is None:
            return _Leaf(None, state, lambda: None)
        gradient = described(gradient)
        target = gradient if weight is None else described(weight)
        check_shapes(self.rule.name, target, gradient, *state.values())
        if not moves(target.dtype):
            return _Leaf(jnp.zeros_like(target), state, lambda: jnp.zeros(target.shape))
        dtype = kind(target.dtype)
        hyper = self._hyper_in(dtype) if decays else {**self._hyper_in(dtype), "weight_decay": 0.0}
        w, g = (_computed(x, target.dtype) for x in (target, gradient))
        given = {slot: _computed(x, target.dtype, slot in self.rule.positive) for slot, x in state.items()}
        made = change(self.rule, w, g, given, self.t, hyper)
        new = {slot: fitted(flat(made.state[slot]), value.dtype) for slot, value in state.items()}

        def rate() -> Any:
            return jnp.broadcast_to(jnp.asarray(plain(made.step.rate), dtype), target.shape)

        return _Leaf(self._rounded(flat(made.weight), target, number), apart(new, gradient, target), rate)

    def _hyper_in(self, dtype: Any) -> dict[str, Any]:
        """Return the hyperparameters for leaves that are computed in `dtype`, made once for all of them."""
        if dtype not in self._values:
            self._values[dtype] = self.hyper.at(self.before.count, dtype, self.before.base_lr)
        return self._values[dtype]

    def _rounded(self, move: Any, target: Any, number: int) -> Any:
        if self.before.key is None or target.dtype != jnp.bfloat16:
            return move.astype(target.dtype)
        key = jax.random.fold_in(jax.random.fold_in(self.before.key, self.before.count), number)
        return rounded_change(move.astype(jnp.float32), target, key)


def _listed(slots: Iterable[str]) -> str:
    return ", ".join(slots) or "nothing"


def _computed(value: Any, weight: Any, is_real: bool = False) -> Any:
    """Return a leaf's gradient or state in the numbers that a weight of this kind is computed in."""
    if is_real or not is_complex(weight):
        return fitted(value, kind(weight))
    return Vector(fitted(value, jnp.promote_types(kind(weight), jnp.complex64)))


def _warn(params: Any, key: Any) -> None:
    if key is None and any(dtype_of(leaf) == jnp.bfloat16 for leaf in map(described, jax.tree.leaves(params))):
        warnings.warn(
            "weights in bfloat16 stand still under small steps, which round to nothing; give the optimizer a key, "
            "key=jax.random.key(0), say, to round at random, in proportion.",
            SurefootWarning,
            stacklevel=3,
        )
