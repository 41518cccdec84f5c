"""One step of all leaves, each computed in the dtype for its kind of weights.

A leaf is computed in float32, or in float64 if that is its kind, and only what is returned is rounded to the kind of
the weight. A rule that sums over all tensors is run on all leaves as one (`Bundle`), any other on each by itself.
A leaf without a gradient, or of integers, takes no part: it stays, and so does its state. A rule for matrices sees a
leaf as one matrix, outputs x inputs, and what is none its rule for vectors steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from surefoot.bundle import Bundle, members
from surefoot.errors import UsageError
from surefoot.frontends.blocks import evaluated_in_blocks, in_blocks
from surefoot.frontends.matrices import Blocks, Layout, MatrixView, rule_for, slot_shapes, view_for
from surefoot.frontends.number import Count, plain
from surefoot.optax.complex_weights import Vector, flat
from surefoot.optax.hyper import Hyper
from surefoot.optax.leaves import apart, check_shapes, described, fitted, is_complex, kind, moves, own, rounded_change
from surefoot.optax.state import RuleState, number_kind
from surefoot.rule import Rule
from surefoot.update import Update, change


class Leaf(NamedTuple):
    """The inputs of a leaf's step. A leaf without gradient takes no part."""

    gradient: Any
    weight: Any
    state: Mapping[str, Any]
    decays: bool = True
    blocks: Blocks = 1


class LeafStep(NamedTuple):
    """The results of a leaf's step."""

    change: Any
    state: Mapping[str, Any]
    rate: Callable[[], Any]


class _Member(NamedTuple):
    """A leaf that takes part: its place and its rule's inputs. `target` has the weight's shape and dtype."""

    place: int
    leaf: Leaf
    target: Any
    rule: Rule
    view: MatrixView | None
    weight: Any
    gradient: Any
    state: Mapping[str, Any]

    def whole(self, value: Any) -> Any:
        """Return a result for each weight, as the weights lie."""
        return value if self.view is None else self.view.back(value, jnp)


class _Group(NamedTuple):
    """The leaves of one call of the rule: one of them, or all."""

    rule: Rule
    parts: Sequence[_Member]
    weight: Any
    gradient: Any
    state: Mapping[str, Any]
    hyper: Mapping[str, Any]

    def split(self, value: Any) -> tuple[Any, ...]:
        """Return what each of the leaves has of a result."""
        return members(value, len(self.parts))

    def changed(self, t: Count) -> Update:
        """Return the changes of the weights. A leaf of several matrices is run matrix by matrix."""

        def step(weight: Any, gradient: Any, state: Mapping[str, Any]) -> Update:
            return change(self.rule, weight, gradient, state, t, self.hyper)

        return in_blocks(step, self._view, self.rule, self.weight, self.gradient, self.state, jnp)

    def evaluated(self) -> Any:
        """Return the weights that a model is evaluated with."""
        return evaluated_in_blocks(self._view, self.rule, self.weight, self.state, self.hyper, jnp)

    @property
    def _view(self) -> MatrixView | None:
        return self.parts[0].view if len(self.parts) == 1 else None


@dataclass(frozen=True)
class TreeStep:
    """One step: what all leaves have in common."""

    rule: Rule
    hyper: Hyper
    before: RuleState
    t: Count
    layout: Layout = "in_out"

    def run(self, leaves: Sequence[Leaf]) -> tuple[list[LeafStep], dict[str, Any]]:
        """Return the step of each leaf, and the new shared numbers."""
        made, shared = [_left(leaf) for leaf in leaves], self.before.shared
        for group in self._groups(leaves):
            update = group.changed(self.t)
            states = {slot: group.split(update.state[slot]) for slot in group.parts[0].state}
            rates, changes = group.split(update.step.rate), group.split(update.weight)
            for i, member in enumerate(group.parts):
                new = {slot: values[i] for slot, values in states.items()}
                made[member.place] = self._made(member, changes[i], new, rates[i])
            shared = {slot: self._as_kept(slot, update.state[slot], value) for slot, value in shared.items()}
        return made, shared

    def evaluated(self, leaves: Sequence[Leaf]) -> list[Any]:
        """Return the weights that a model is evaluated with, of each leaf."""
        made = [leaf.weight for leaf in leaves]
        for group in self._groups(leaves):
            weights = group.split(group.evaluated())
            for member, weight in zip(group.parts, weights, strict=True):
                made[member.place] = member.whole(flat(weight)).astype(member.target.dtype)
        return made

    def _groups(self, leaves: Sequence[Leaf]) -> Iterator[_Group]:
        taking = [self._member(i, leaf) for i, leaf in enumerate(leaves) if self._takes_part(leaf)]
        values: dict[Any, dict[str, Any]] = {}
        for parts in ([taking] if taking else []) if self.rule.shared else [[member] for member in taking]:
            dtype = jnp.result_type(*(kind(member.target.dtype) for member in parts))
            if dtype not in values:  # once for all leaves of a kind
                values[dtype] = self.hyper.at(self.before.count, dtype, self.before.base_lr)
            yield self._group(parts, values[dtype])

    def _takes_part(self, leaf: Leaf) -> bool:
        if leaf.gradient is None or not moves(_target(leaf).dtype):
            return False
        return self.rule.shape != "matrix" or math.prod(_target(leaf).shape) > 0  # the scale of no matrix is none

    def _group(self, parts: Sequence[_Member], hyper: Mapping[str, Any]) -> _Group:
        state = {slot: self._one([member.state[slot] for member in parts]) for slot in parts[0].state}
        shared = {slot: fitted(jnp.asarray(x), number_kind()) for slot, x in self.before.shared.items()}
        if not all(member.leaf.decays for member in parts):
            decay = hyper["weight_decay"]
            hyper = {**hyper, "weight_decay": self._one([decay if part.leaf.decays else 0.0 for part in parts])}
        weight, gradient = (self._one([getattr(part, name) for part in parts]) for name in ("weight", "gradient"))
        rule = parts[0].rule
        hyper = hyper if rule is self.rule else rule.complete(hyper)
        return _Group(rule, parts, weight, gradient, {**state, **shared}, hyper)

    def _one(self, values: Sequence[Any]) -> Any:
        """Return a bundle of all values if the rule sums over leaves, else the only value."""
        return Bundle(values) if self.rule.shared else values[0]

    def _member(self, place: int, leaf: Leaf) -> _Member:
        gradient, target = described(leaf.gradient), _target(leaf)
        kept = {slot: x for slot, x in leaf.state.items() if x is not None}
        rule = rule_for(self.rule, target.shape) or self.rule
        view, numbers = view_for(rule, target.shape, self.layout, leaf.blocks), rule.numbers(self.hyper.fixed)
        each = rule.each_weight
        self._check_given(rule, target, gradient, kept, leaf.blocks)

        def seen(x: Any) -> Any:
            return x if view is None else view.of(x, jnp)

        state = {
            slot: fitted(x, number_kind())
            if slot in numbers
            else _computed(seen(x) if slot in each else x, target.dtype, slot in rule.positive)
            for slot, x in kept.items()
        }
        weight, gradient = (_computed(seen(x), target.dtype) for x in (target, gradient))
        return _Member(place, leaf, target, rule, view, weight, gradient, state)

    def _check_given(self, rule: Rule, target: Any, gradient: Any, kept: Mapping[str, Any], blocks: Blocks) -> None:
        """Raise `UsageError` if what is given of a leaf does not go together."""
        each = rule.each_weight
        check_shapes(rule.name, target, gradient, *(x for slot, x in kept.items() if slot in each))
        shapes = slot_shapes(rule, self.hyper.fixed, target.shape, self.layout, blocks)
        for slot in kept.keys() - each:
            self._check_shape(slot, kept[slot], shapes[slot], "give the state that `init` made for these weights")

    def _made(self, member: _Member, move: Any, new: Mapping[str, Any], rate: Any) -> LeafStep:
        target, leaf, each = member.target, member.leaf, member.rule.each_weight
        made = {
            slot: fitted(member.whole(flat(value)), leaf.state[slot].dtype)
            if slot in each
            else self._as_kept(slot, value, leaf.state[slot])
            for slot, value in new.items()
        }

        def rates() -> Any:
            shape = target.shape if member.view is None else member.view.matrix
            return member.whole(jnp.broadcast_to(jnp.asarray(plain(rate), kind(target.dtype)), shape))

        change = self._rounded(member.whole(flat(move)), target, member.place)
        return LeafStep(change, {**leaf.state, **apart(made, leaf.gradient, target)}, rates)

    def _as_kept(self, slot: str, value: Any, before: Any) -> Any:
        """Return the new value of a single-number slot, in the dtype of its state."""
        made = jnp.asarray(flat(value))
        self._check_shape(slot, made, before.shape, "a rule makes it of numbers, sums, or means with an axis")
        return own(fitted(made, before.dtype))  # a number of one leaf may be that of another as well

    def _check_shape(self, slot: str, value: Any, shape: tuple[int, ...], advice: str) -> None:
        if value.shape != shape:
            wanted = f"shape {shape}" if shape else "one number"
            raise UsageError(f"{self.rule.name}: {slot} has shape {value.shape}, where {wanted} is expected; {advice}.")

    def _rounded(self, move: Any, target: Any, place: int) -> Any:
        if self.before.key is None or target.dtype != jnp.bfloat16:
            return move.astype(target.dtype)
        key = jax.random.fold_in(jax.random.fold_in(self.before.key, self.before.count), place)
        return rounded_change(move.astype(jnp.float32), target, key)


def _target(leaf: Leaf) -> Any:
    return described(leaf.gradient if leaf.weight is None else leaf.weight)


def _left(leaf: Leaf) -> LeafStep:
    """Return what is made of a leaf that takes no part."""
    if leaf.gradient is None:
        return LeafStep(None, leaf.state, lambda: None)
    target = _target(leaf)
    return LeafStep(jnp.zeros_like(target), leaf.state, lambda: jnp.zeros(target.shape))


def _computed(value: Any, weight: Any, is_real: bool = False) -> Any:
    """Return a leaf's gradient or state in the dtype for computing with such weights."""
    if is_real or not is_complex(weight):
        return fitted(value, kind(weight))
    return Vector(fitted(value, jnp.promote_types(kind(weight), jnp.complex64)))
