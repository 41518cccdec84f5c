"""Optax's side of the bridge: states as trees of named tuples, ours or optax's own.

A state does not say which rule it belongs to, so ours is read with the transformation that made it. optax's RMSprop
puts the negative learning rate before its momentum: the trace holds steps downhill, and changes its sign here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from surefoot.bridge.handover import Handover, Meaning, Slots, apart, fit
from surefoot.errors import UsageError
from surefoot.optax.hyper import Hyper
from surefoot.optax.state import RuleState
from surefoot.optax.transformation import rule_of

OPTAX: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "ScaleByAdamState": ("adam", {"m": "mu", "v": "nu"}),
    "ScaleByAmsgradState": ("adam", {"m": "mu", "v": "nu", "vmax": "nu_max"}),
    "ScaleByRmsState": ("rmsprop", {"v": "nu"}),
    "ScaleByRStdDevState": ("rmsprop", {"a": "mu", "v": "nu"}),
    "ScaleByRssState": ("adagrad", {"s": "sum_of_squares"}),
    "ScaleByAdaDeltaState": ("adadelta", {"v": "e_g", "u": "e_x"}),
    "TraceState": ("sgd", {"b": "trace"}),
}
"""The rule of each kind of optax's own states, and the field of each of its slots."""


def from_optax(
    state: Any, optimizer: optax.GradientTransformation | None = None, *, steps: int | None = None
) -> Handover:
    """Return how far a transformation has come: one of ours, or of optax's own.

    Args:
        state: its state, or one that this is part of, such as a chain's. Parameters are in the order of
            `jax.tree.leaves`; those in half precision give float32.
        optimizer: the transformation, if it is one of ours: the factory's product itself, not a chain.
        steps: how many steps it has made, for those of optax's own that do not count (SGD, RMSprop, Adagrad,
            Adadelta).

    Raises:
        UsageError: no state that is known, more than one, or one of ours without its transformation.
    """
    return _read(state, optimizer, steps).progress


def to_optax(progress: Handover, state: Any, optimizer: optax.GradientTransformation | None = None) -> Any:
    """Return a state from which a transformation goes on from a progress: one of ours, or of optax's own.

    Hyperparameters are not part of a state: make the transformation with those of the source.

    Args:
        progress: parameters in the order of `jax.tree.leaves(params)`; see `Handover.rearranged`.
        state: what `init(params)` returned, of the transformation or of a chain that it is part of.
        optimizer: the transformation, if it is one of ours: the factory's product itself, not a chain.

    Returns:
        a state like `state`; nothing is written to.

    Raises:
        UsageError: the transformation runs another rule, has other parameters, or keeps what cannot be converted.

    Example:
        >>> adam = surefoot.optax.adam(1e-3)
        >>> state = to_optax(from_torch(optimizer), adam.init(params), adam)
    """
    found = _read(state, optimizer, None)
    fitted = fit(progress, found.progress)
    _check_base(fitted, found)

    def change(node: Any) -> Any:
        node = node._replace(count=jnp.asarray(fitted.count(), node.count.dtype)) if "count" in node._fields else node
        if isinstance(node, RuleState):
            trees = {slot: _with(tree, slot, fitted, 1.0) for slot, tree in node.slots.items()}
            shared = {slot: jnp.asarray(fitted.shared[slot], x.dtype) for slot, x in node.shared.items()}
            base, kept = fitted.meanings[0].base_lr, node.base_lr
            base = kept if None in (base, kept) else jnp.asarray(base, kept.dtype)
            return node._replace(slots=trees, base_lr=base, shared=shared)
        fields = OPTAX.get(type(node).__name__, ("", {}))[1]
        return node._replace(**{f: _with(getattr(node, f), s, fitted, found.sign(s)) for s, f in fields.items()})

    return _mapped(state, change)


@dataclass(frozen=True)
class _Found:
    """The content of a state, and whether its trace points downhill."""

    progress: Handover
    hyper: Hyper | None
    downhill: bool

    def sign(self, slot: str) -> float:
        """Return the factor between our number and the kept one, in both directions."""
        return -1.0 if self.downhill and slot == "b" else 1.0


def _read(state: Any, optimizer: optax.GradientTransformation | None, steps: int | None) -> _Found:
    nodes: list[Any] = []
    _mapped(state, nodes.append)
    ours = [node for node in nodes if isinstance(node, RuleState)]
    known = [node for node in nodes if type(node).__name__ in OPTAX]
    if len(ours) == 1 and not known:
        return _read_ours(ours[0], optimizer)
    if ours or not known:
        raise UsageError(
            f"the state has parts of {len(ours) + len(known)} rules; give the state of one. (optax's own sgd without "
            "momentum keeps no state; surefoot.optax.sgd counts its steps.)"
        )
    return _read_theirs(nodes, known, steps)


def _read_ours(node: RuleState, optimizer: optax.GradientTransformation | None) -> _Found:
    told = None if optimizer is None else rule_of(optimizer)
    if told is None:
        raise UsageError("the state is one of surefoot.optax's; give the transformation itself too, not a chain.")
    rule, hyper = told
    slots = _slots({slot: _leaves(tree) for slot, tree in node.slots.items()})
    lr, base = float(hyper.value("lr", node.count)), hyper.moving.get("base_lr", node.base_lr)
    meaning = Meaning.of(rule, hyper.fixed, lr, lr if base is None else base)
    many = len(slots) or 1
    shared = {slot: float(x) for slot, x in node.shared.items()}
    numbers = frozenset().union(*slots) & apart(rule)
    progress = Handover(rule.family, slots, (int(node.count),) * many, (meaning,) * many, numbers, shared)
    return _Found(progress, hyper, downhill=False)


def _read_theirs(nodes: list[Any], known: list[Any], steps: int | None) -> _Found:
    rules = {OPTAX[type(node).__name__][0] for node in known}
    if len(known) > 1 and rules != {"rmsprop", "sgd"}:
        raise UsageError(f"the state has parts of {' and '.join(sorted(rules))}; give that of one rule.")
    rule = "rmsprop" if "rmsprop" in rules else rules.pop()
    heavy, counts = rule == "rmsprop", [int(node.count) for node in nodes if "count" in node._fields]
    fields = {slot: getattr(node, f) for node in known for slot, f in OPTAX[type(node).__name__][1].items()}
    slots = _slots({slot: jax.tree.leaves(tree) for slot, tree in fields.items()})
    slots = tuple({slot: -x if heavy and slot == "b" else x for slot, x in own.items()} for own in slots)
    meaning = Meaning(lr_in_buffer=heavy, amsgrad_corrected="vmax" in fields)
    count = counts[0] if counts else steps
    return _Found(Handover(rule, slots, (count,) * len(slots), (meaning,) * len(slots)), None, downhill=heavy)


def _slots(leaves: Mapping[str, list[Any]]) -> tuple[Slots, ...]:
    """Return the slots of each parameter. A parameter that is no matrix has fewer under a matrix rule."""
    each = zip(*leaves.values(), strict=True)
    return tuple({slot: _array(x) for slot, x in zip(leaves, some, strict=True) if x is not None} for some in each)


def _leaves(tree: Any) -> list[Any]:
    """Return the leaves of a tree, None among them."""
    return list(jax.tree.leaves(tree, is_leaf=lambda x: x is None))


def _array(leaf: Any) -> np.ndarray:
    return np.array(leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)))


def _with(tree: Any, slot: str, fitted: Handover, sign: float) -> Any:
    """Return a tree with a slot's arrays as leaves, in the leaves' dtypes."""
    leaves, structure = jax.tree.flatten(tree, is_leaf=lambda x: x is None)
    pairs = zip(fitted.slots, leaves, strict=True)
    new = [None if leaf is None else jnp.asarray(sign * own[slot], leaf.dtype) for own, leaf in pairs]
    return structure.unflatten(new)


def _check_base(fitted: Handover, found: _Found) -> None:
    """Raise if the base rate of schedules differs from the target's."""
    for given, wanted in zip(fitted.meanings, found.progress.meanings, strict=True):
        fixed = found.hyper is not None and not found.hyper.follows
        if fixed and given.base_lr and wanted.base_lr and not np.isclose(given.base_lr, wanted.base_lr, rtol=1e-6):
            raise UsageError(
                f"the source measures its schedule against a learning rate of {given.base_lr:g}, the target against "
                f"{wanted.base_lr:g}; make the target with base_lr={given.base_lr:g}."
            )


def _mapped(node: Any, change: Callable[[Any], Any]) -> Any:
    """Return a state with a function applied to each named tuple that has a rule's state or counts."""
    if isinstance(node, RuleState) or type(node).__name__ in OPTAX:
        return change(node)
    if hasattr(node, "_fields"):
        inner = type(node)(*(_mapped(part, change) for part in node))
        return change(inner) if "count" in node._fields else inner
    if isinstance(node, tuple | list):
        return type(node)(_mapped(part, change) for part in node)
    return {key: _mapped(part, change) for key, part in node.items()} if isinstance(node, dict) else node
