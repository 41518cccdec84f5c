"""The state of a transformation: trees of the weights' shapes, numbers, and the step count.

State is kept as computed unless another kind is asked for (`kept`), for a mean of squares in bfloat16 stops growing.
What is one number for a leaf, or for all of them, is kept in the widest kind that jax has, whatever the weights are.
No array of a state is also another's: the user may donate it. Beside a matrix what there is one of for each row or
column has the shape that its rule sees, (rows, 1), say; what has the weights' shape lies as they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from surefoot.errors import UsageError
from surefoot.frontends.blocks import blocks_of, check_blocks
from surefoot.frontends.matrices import Blocks, Layout, check_matrix, rule_for, slot_shapes
from surefoot.frontends.number import plain
from surefoot.optax.by_path import path_text
from surefoot.optax.hyper import Hyper
from surefoot.optax.leaves import described, dtype_of, is_complex, kind, moves, own
from surefoot.rule import WEIGHT, Rule
from surefoot.update import measures


class RuleState(NamedTuple):
    """The state of a transformation.

    Attributes:
        count: steps made.
        slots: by the rule's name for it (`m`, `v`), a tree like the weights'; a leaf of it is an array of the weight's
            shape, of shape () where the rule keeps one number for a tensor, or (rows, 1) and the like beside a matrix;
            None where the rule that steps the leaf has no such slot.
        base_lr: the learning rate that a schedule is measured against; None unless the rule asks for it. An option
            `base_lr` stands above it.
        key: of random rounding; None without.
        shared: by the rule's name for it, what is one number for all weights together.
    """

    count: Any
    slots: dict[str, Any]
    base_lr: Any
    key: Any
    shared: dict[str, Any] = {}  # noqa: RUF012  never written to; by default, so that older pickles load


def number_kind() -> Any:
    """Return JAX's dtype for one number of many weights: float64 where it is enabled."""
    return jnp.result_type(float)


@dataclass(frozen=True)
class Keeper:
    """Makes the state of a rule under its hyperparameters, and knows its own."""

    rule: Rule
    hyper: Hyper
    kept: Mapping[str, Any]
    layout: Layout = "in_out"
    blocks: Mapping[str, Blocks] = field(default_factory=dict)

    def begin(self, params: Any, key: Any) -> RuleState:
        """Return the state before the first step.

        Raises:
            UsageError: the rule is one for matrices, and a leaf is none, or has no such blocks.
        """
        self._check(jax.tree_util.tree_leaves_with_path(params))
        slots = {
            slot: jax.tree_util.tree_map_with_path(
                lambda path, leaf, slot=slot: self._leaf(slot, leaf, self.blocks_of(path)), params
            )
            for slot in self._slots
        }
        shared = {slot: self._number(slot) for slot in self._shared}
        base_lr = self.hyper.base() if measures(self.rule, self.hyper.fixed) else None
        return RuleState(jnp.zeros([], jnp.int32), slots, base_lr, own(key), shared)

    def blocks_of(self, path: Any) -> Blocks:
        """Return how many matrices the leaf at a path is, or their heights."""
        return blocks_of(path_text(path), self.blocks) if self.blocks else 1

    def _check(self, leaves: Sequence[tuple[Any, Any]]) -> None:
        """Raise `UsageError` if the rule cannot step one of these leaves. Each comes with its path."""
        for path, leaf in leaves:
            check_matrix(self.rule, f"the leaf {jax.tree_util.keystr(path)}", described(leaf).shape, _APART)
        shapes = {path_text(path): described(leaf).shape for path, leaf in leaves}
        check_blocks(self.blocks, shapes, lambda name: rule_for(self.rule, shapes[name]) or self.rule, self.layout)

    def check(self, state: Any) -> None:
        """Raise `UsageError` if this is not a state of the rule with these options."""
        if not isinstance(state, RuleState):
            what = f"is a {type(state).__name__}"
        elif (set(state.slots), set(state.shared)) != (set(self._slots), set(self._shared)):
            what = (
                f"has {_listed((*state.slots, *state.shared))}, where this rule and its options keep "
                f"{_listed((*self._slots, *self._shared))}"
            )
        else:
            return
        raise UsageError(f"{self.rule.name}: the state {what}; give what `init` of this transformation returned.")

    @property
    def _slots(self) -> list[str]:
        rules = [self.rule, *([] if self.rule.vector is None else [self.rule.vector])]
        active = [slot for rule in rules for slot in rule.active(self.hyper.fixed) if slot.per != "optimizer"]
        return list(dict.fromkeys(slot.name for slot in active))

    @property
    def _shared(self) -> list[str]:
        return [slot.name for slot in self.rule.active(self.hyper.fixed) if slot.per == "optimizer"]

    def _number(self, slot: str) -> Any:
        start = self.rule.starts(self.hyper.at(0, number_kind()))[slot]
        return jnp.array(plain(start), number_kind())

    def _leaf(self, slot: str, leaf: Any, blocks: Blocks) -> Any:
        """Return a slot of one leaf before the first step; None if its rule has none."""
        leaf = described(leaf)
        rule = rule_for(self.rule, leaf.shape)
        if rule is None or slot not in (shapes := slot_shapes(rule, self.hyper.fixed, leaf.shape, self.layout, blocks)):
            return None
        if slot in rule.numbers(self.hyper.fixed):
            return jnp.broadcast_to(self._number(slot), shapes[slot])
        if not moves(dtype := dtype_of(leaf)):
            return jnp.zeros_like(leaf)
        start, kept = rule.starts(self.hyper.at(0, kind(dtype)))[slot], self._kind(slot, dtype)
        if shapes[slot] != leaf.shape:
            return jnp.full(shapes[slot], own(plain(start)), kept)
        if start is not WEIGHT:
            return jnp.full_like(leaf, own(plain(start)), dtype=kept)
        known = not isinstance(leaf, jax.ShapeDtypeStruct)
        return jnp.array(leaf, kept, copy=True) if known else jax.ShapeDtypeStruct(leaf.shape, kept)

    def _kind(self, slot: str, dtype: Any) -> Any:
        kept = self.kept.get(slot, kind(dtype))
        is_plane = is_complex(dtype) and slot not in self.rule.positive
        return jnp.promote_types(kept, jnp.complex64) if is_plane else kept


_APART = "optax.partition({'matrix': ..., 'other': adamw(...)}, labels), with a tree of these labels"


def _listed(slots: Iterable[str]) -> str:
    return ", ".join(slots) or "nothing"
