"""One step of all leaves, each in the numbers that its kind of weights is computed in.

A leaf is computed in float32, or in float64 if that is its kind, and only what is returned is rounded to the kind of
the weight. A rule that sums over all tensors is run on all leaves as one (`Bundle`), any other on each by itself.
A leaf without a gradient, or of integers, takes no part: it stays, and so does its state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from surefoot.bundle import Bundle, members
from surefoot.errors import UsageError
from surefoot.frontends.number import Count, plain
from surefoot.optax.hyper import Hyper
from surefoot.optax.leaves import apart, check_shapes, described, fitted, is_complex, kind, moves, own, rounded_change
from surefoot.optax.plane import Vector, flat
from surefoot.optax.state import RuleState, number_kind
from surefoot.rule import Rule
from surefoot.update import change, evaluated


class Leaf(NamedTuple):
    """What a step is given of a leaf; without a gradient it takes no part."""

    gradient: Any
    weight: Any
    state: Mapping[str, Any]
    decays: bool = True


class Made(NamedTuple):
    """What a step makes of a leaf."""

    change: Any
    state: Mapping[str, Any]
    rate: Callable[[], Any]


class _Member(NamedTuple):
    """A leaf that takes part: its place, and what the rule is run on; `target` has the weight's shape and kind."""

    place: int
    leaf: Leaf
    target: Any
    weight: Any
    gradient: Any
    state: Mapping[str, Any]


class _Group(NamedTuple):
    """What the rule is run on at once: one leaf, or all of them."""

    parts: Sequence[_Member]
    weight: Any
    gradient: Any
    state: Mapping[str, Any]
    hyper: Mapping[str, Any]

    def split(self, value: Any) -> tuple[Any, ...]:
        """Return what each of the leaves has of a result."""
        return members(value, len(self.parts))


@dataclass(frozen=True)
class TreeStep:
    """One step: what all leaves have in common."""

    rule: Rule
    hyper: Hyper
    before: RuleState
    t: Count

    def run(self, leaves: Sequence[Leaf]) -> tuple[list[Made], dict[str, Any]]:
        """Return what the step makes of each leaf, and of the numbers that all of them share."""
        made, shared = [_left(leaf) for leaf in leaves], self.before.shared
        for group in self._groups(leaves):
            update = change(self.rule, group.weight, group.gradient, group.state, self.t, group.hyper)
            states = {slot: group.split(update.state[slot]) for slot in self.before.slots}
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
            weights = group.split(evaluated(self.rule, group.weight, group.state, group.hyper))
            for member, weight in zip(group.parts, weights, strict=True):
                made[member.place] = flat(weight).astype(member.target.dtype)
        return made

    def _groups(self, leaves: Sequence[Leaf]) -> Iterator[_Group]:
        taking = [self._member(i, leaf) for i, leaf in enumerate(leaves) if _takes_part(leaf)]
        values: dict[Any, dict[str, Any]] = {}
        for parts in ([taking] if taking else []) if self.rule.shared else [[member] for member in taking]:
            dtype = jnp.result_type(*(kind(member.target.dtype) for member in parts))
            if dtype not in values:  # once for all leaves of a kind
                values[dtype] = self.hyper.at(self.before.count, dtype, self.before.base_lr)
            yield self._group(parts, values[dtype])

    def _group(self, parts: Sequence[_Member], hyper: Mapping[str, Any]) -> _Group:
        state = {slot: self._one([member.state[slot] for member in parts]) for slot in self.before.slots}
        shared = {slot: fitted(jnp.asarray(x), number_kind()) for slot, x in self.before.shared.items()}
        if not all(member.leaf.decays for member in parts):
            decay = hyper["weight_decay"]
            hyper = {**hyper, "weight_decay": self._one([decay if part.leaf.decays else 0.0 for part in parts])}
        weight, gradient = (self._one([getattr(part, name) for part in parts]) for name in ("weight", "gradient"))
        return _Group(parts, weight, gradient, {**state, **shared}, hyper)

    def _one(self, values: Sequence[Any]) -> Any:
        """Return what the rule is run on at once: all leaves together if it sums over them, also if there is one."""
        return Bundle(values) if self.rule.shared else values[0]

    def _member(self, place: int, leaf: Leaf) -> _Member:
        gradient, target = described(leaf.gradient), _target(leaf)
        numbers = self._numbers & leaf.state.keys()
        check_shapes(self.rule.name, target, gradient, *(x for slot, x in leaf.state.items() if slot not in numbers))
        for slot in numbers:
            self._check_number(slot, leaf.state[slot], "give the state that `init` made for these weights")
        state = {
            slot: fitted(x, number_kind())
            if slot in numbers
            else _computed(x, target.dtype, slot in self.rule.positive)
            for slot, x in leaf.state.items()
        }
        return _Member(place, leaf, target, _computed(target, target.dtype), _computed(gradient, target.dtype), state)

    def _made(self, member: _Member, move: Any, new: Mapping[str, Any], rate: Any) -> Made:
        target, leaf = member.target, member.leaf
        state = {slot: self._as_kept(slot, new[slot], value) for slot, value in leaf.state.items()}

        def rates() -> Any:
            return jnp.broadcast_to(jnp.asarray(plain(rate), kind(target.dtype)), target.shape)

        return Made(self._rounded(flat(move), target, member.place), apart(state, leaf.gradient, target), rates)

    def _as_kept(self, slot: str, value: Any, before: Any) -> Any:
        """Return the new value of a slot, in the kind of numbers that it is kept in."""
        if slot not in self._numbers:
            return fitted(flat(value), before.dtype)
        number = jnp.asarray(flat(value))
        self._check_number(slot, number, "a rule makes it of numbers, or of sums over weights")
        return own(fitted(number, before.dtype))  # a number of one leaf may be that of another as well

    @property
    def _numbers(self) -> frozenset[str]:
        return self.rule.numbers(self.hyper.fixed)

    def _check_number(self, slot: str, value: Any, advice: str) -> None:
        if value.shape:
            raise UsageError(
                f"{self.rule.name}: {slot} has shape {value.shape}, where one number is expected; {advice}."
            )

    def _rounded(self, move: Any, target: Any, place: int) -> Any:
        if self.before.key is None or target.dtype != jnp.bfloat16:
            return move.astype(target.dtype)
        key = jax.random.fold_in(jax.random.fold_in(self.before.key, self.before.count), place)
        return rounded_change(move.astype(jnp.float32), target, key)


def _target(leaf: Leaf) -> Any:
    return described(leaf.gradient if leaf.weight is None else leaf.weight)


def _takes_part(leaf: Leaf) -> bool:
    return leaf.gradient is not None and moves(_target(leaf).dtype)


def _left(leaf: Leaf) -> Made:
    """Return what is made of a leaf that takes no part."""
    if leaf.gradient is None:
        return Made(None, leaf.state, lambda: None)
    target = _target(leaf)
    return Made(jnp.zeros_like(target), leaf.state, lambda: jnp.zeros(target.shape))


def _computed(value: Any, weight: Any, is_real: bool = False) -> Any:
    """Return a leaf's gradient or state in the numbers that a weight of this kind is computed in."""
    if is_real or not is_complex(weight):
        return fitted(value, kind(weight))
    return Vector(fitted(value, jnp.promote_types(kind(weight), jnp.complex64)))
