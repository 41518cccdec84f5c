"""A rule over all tensors of an optimizer, on the eager engine: they step jointly, as bundles.

What differs from tensor to tensor (step counts, and the hyperparameters of param groups) is a bundle too. A switch
cannot be: a rule asks `if` about it once.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from surefoot.bundle import Bundle, members
from surefoot.compiler.kernel_plan import stages
from surefoot.compiler.trace import trace
from surefoot.engines import eager
from surefoot.engines.eager import TensorPart, Write
from surefoot.engines.kernel_choice import form
from surefoot.errors import UsageError
from surefoot.rule import SLOTS_AROUND, Rule
from surefoot.update import take_step, update


@functools.lru_cache(maxsize=1024)
def joins(rule: Rule) -> bool:
    """Return whether a rule looks at all tensors at once: it sums over all or keeps numbers for all.

    One for matrices does not.
    """
    if rule.shape == "matrix":
        return False
    if rule.shared:
        return True
    try:
        graph = trace(rule, dict(form(rule.complete({}))))
    except UsageError:
        return False
    return any(stage.everywhere for stage in stages(graph))


class AllTensors:
    """All tensors of an optimizer at once, for a rule that `joins` them.

    Args:
        rule: which rule.
        parts: the tensors that take part, none of them sparse.
        shared: the numbers that the rule keeps for all of them.

    Raises:
        UsageError: a switch differs from tensor to tensor.
        RuntimeError: torch's own, if weights share memory.
    """

    def __init__(self, rule: Rule, parts: Sequence[TensorPart], shared: Mapping[str, float]) -> None:
        self._rule, self._parts = rule, parts
        weights, gradients, states = zip(*(eager.widened(rule, part) for part in parts), strict=True)
        self._shared = {name: torch.tensor(x, dtype=torch.float64) for name, x in shared.items()}
        hypers = [_based(part.hyper) for part in parts]
        hyper = {name: self._joint(name, [one[name] for one in hypers]) for name in hypers[0]}
        t = self._joint("t", [part.t for part in parts])
        self._state = {slot: Bundle(state[slot] for state in states) for slot in states[0]}
        self._given = Bundle(weights), Bundle(gradients), {**self._state, **self._shared}, t, hyper

    def prepare(self) -> tuple[list[Write], dict[str, float]]:
        """Compute one step. Returns its writes into weights and state, and the new shared numbers."""
        for part in self._parts:
            eager.check_apart(part)
        made, count = update(self._rule, *self._given), len(self._parts)
        changed = {slot: members(x, count) for slot, x in eager.changed(made.state, self._state).items()}
        changed = {slot: values for slot, values in changed.items() if slot in self._state}
        writes = []
        for k, (part, weight) in enumerate(zip(self._parts, members(made.weight, count), strict=True)):
            writes += eager.writes(self._rule, part, weight, {slot: values[k] for slot, values in changed.items()})
        return writes, {name: one(self._rule, name, members(made.state[name], 1)) for name in self._shared}

    def rates(self) -> tuple[Any, ...]:
        """Return the rate of each tensor in the coming step."""
        return members(take_step(self._rule, *self._given).rate, len(self._parts))

    def _joint(self, name: str, values: Sequence[Any]) -> Any:
        """Return what all tensors have, or a bundle of what each has."""
        first = values[0]
        if all(
            x is first or (not isinstance(x, Tensor) and not isinstance(first, Tensor) and x == first) for x in values
        ):
            return first
        switches = {slot.when for slot in (*self._rule.slots, *SLOTS_AROUND)}
        if any(x is None or isinstance(x, bool | str) or (name in switches and not x) for x in values):
            raise UsageError(
                f"{name} is {' in one group and '.join(dict.fromkeys(map(repr, values)))} in another, and rule "
                f"{self._rule.name} steps all parameters at once: give all groups the same, or make an optimizer for "
                "each."
            )
        return Bundle(values)


def one(rule: Rule, name: str, found: Sequence[Any]) -> float:
    """Return the single number for the whole optimizer, from the value of each tensor.

    Raises:
        UsageError: they differ.
    """
    if any(torch.as_tensor(x).numel() != 1 for x in found) or len(np.unique([*map(float, found)])) > 1:
        raise UsageError(
            f"{name!r} is one number for the whole optimizer, and what rule {rule.name} makes of it differs from "
            "tensor to tensor: use total_all, and give options that enter it, such as beta2, one value in all groups."
        )
    return float(found[0])


def _based(hyper: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return hyperparameters with a `base_lr` above zero, to the same effect: see `hyperparameters.schedule`."""
    zero = hyper["base_lr"] is not None and not hyper["base_lr"]
    return {**hyper, "base_lr": hyper["lr"] or 1.0} if zero else hyper
