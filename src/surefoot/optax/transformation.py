"""A rule as an optax transformation: its state, and an update that calls the rule.

No formula is here. The step count is one for all leaves, as in optax.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from surefoot.errors import SurefootWarning, UsageError
from surefoot.frontends.matrices import Blocks, Layout, check_layout
from surefoot.frontends.number import Count
from surefoot.optax.hyper import Hyper
from surefoot.optax.leaves import check_key, decaying, described, dtype_of
from surefoot.optax.state import Keeper, RuleState
from surefoot.optax.step import Leaf, TreeStep
from surefoot.rule import Rule
from surefoot.update import evaluates


def transformation(
    rule: Rule,
    hyper: Hyper,
    *,
    mask: Any,
    key: Any,
    kept: Mapping[str, Any],
    layout: Layout = "in_out",
    blocks: Mapping[str, Blocks] | None = None,
) -> optax.GradientTransformationExtraArgs:
    """Return the transformation of a rule whose hyperparameters are decided.

    Args:
        rule: which rule.
        hyper: its hyperparameters.
        mask: which weights decay.
        key: of random rounding.
        kept: the kind of numbers of each slot that is to be kept in another than the steps are computed in.
        layout: where the outputs of a matrix are.
        blocks: which leaves are several matrices, by patterns of paths.
    """
    check_layout(layout)
    if key is not None:
        check_key(key)
    made = _Transformation(rule, hyper, mask, key, Keeper(rule, hyper, kept, layout, blocks or {}))
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
    keeper: Keeper

    def init(self, params: Any) -> RuleState:
        """Return the state before the first step."""
        _warn(params, self.key)
        return self.keeper.begin(params, self.key)

    def update(
        self,
        updates: Any,
        state: RuleState,
        params: Any = None,
        *,
        watch_rates: Callable[[Any], None] | None = None,
        watch_weights: Callable[[Any], None] | None = None,
        **extra: Any,  # noqa: ARG002  other transformations' arguments
    ) -> tuple[Any, RuleState]:
        """Return what is to be added to the weights, and the new state.

        `watch_rates` is called with the step size of each weight, `watch_weights` with the weights to evaluate with.
        """
        self.keeper.check(state)
        if watch_weights is not None:
            watch_weights(self._evaluated(state, params))
            return updates, state
        self._check_weights(state, params)
        gradients, paths, structure = _flat(updates)
        count = optax.safe_increment(state.count)
        step = TreeStep(self.rule, self.hyper, state, Count(count), self.keeper.layout)
        weights = [None] * len(gradients) if params is None else structure.flatten_up_to(params)
        decays = decaying(self.mask, params, structure) if self.hyper.fixed["weight_decay"] else [True] * len(gradients)
        states = _states(state, structure)
        blocks = map(self.keeper.blocks_of, paths)
        made, shared = step.run([Leaf(*each) for each in zip(gradients, weights, states, decays, blocks, strict=True)])
        if watch_rates is not None:
            watch_rates(structure.unflatten([leaf.rate() for leaf in made]))
        slots = {slot: structure.unflatten([leaf.state[slot] for leaf in made]) for slot in state.slots}
        changes = structure.unflatten([leaf.change for leaf in made])
        return changes, state._replace(count=count, slots=slots, shared=shared)

    def _check_weights(self, state: RuleState, params: Any) -> None:
        """Raise `UsageError` if the weights are missing and what stands in the update reads them."""
        readers = {
            f"the rule {self.rule.name}": self.rule.sees_weight or self.rule.after is not None,
            "weight decay": self.hyper.fixed["weight_decay"],
            "random rounding": state.key is not None,
        }
        if params is None and any(readers.values()):
            reader = next(name for name, reads in readers.items() if reads)
            raise UsageError(
                f"{self.rule.name}: {reader} needs the weights: give params, update(grads, state, params)."
            )

    def _evaluated(self, state: RuleState, params: Any) -> Any:
        """Return the weights to evaluate with; `MaskedNode` where they are the training weights."""
        if not evaluates(self.rule, self.hyper.fixed):
            return optax.MaskedNode()
        weights, paths, structure = _flat(params)
        blocks = map(self.keeper.blocks_of, paths)
        last = state._replace(count=jnp.maximum(state.count - 1, 0))  # schedules stand where the last step saw them
        step = TreeStep(self.rule, self.hyper, last, Count(state.count), self.keeper.layout)
        each = zip(weights, _states(state, structure), blocks, strict=True)
        leaves = [Leaf(w, w, kept, blocks=own) for w, kept, own in each]
        return structure.unflatten(step.evaluated(leaves))


def _flat(tree: Any) -> tuple[list[Any], list[Any], Any]:
    """Return the leaves of a tree, their paths, and its structure. A None counts as a leaf left out."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree, is_leaf=lambda x: x is None)
    return [leaf for _, leaf in leaves], [path for path, _ in leaves], structure


def _states(state: RuleState, structure: Any) -> list[dict[str, Any]]:
    """Return what is kept of each leaf, by the slot."""
    kept = {slot: structure.flatten_up_to(tree) for slot, tree in state.slots.items()}
    return [{slot: leaves[i] for slot, leaves in kept.items()} for i in range(structure.num_leaves)]


def _warn(params: Any, key: Any) -> None:
    if key is None and any(dtype_of(leaf) == jnp.bfloat16 for leaf in map(described, jax.tree.leaves(params))):
        warnings.warn(
            "weights in bfloat16 stand still under small steps, which round to nothing; give the optimizer a key, "
            "key=jax.random.key(0), say, to round at random, in proportion.",
            SurefootWarning,
            stacklevel=3,
        )
