"""The eager engine: the rule's own function, called on the framework's arrays, its results written in place.

It runs wherever torch runs and lets autograd see through the step. It passes over memory once per operation, so
it is the engine to trust, not the one to be fast.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from torch import Tensor

from surefoot.mathops import Array
from surefoot.rule import Rule
from surefoot.update import update


def step(
    rule: Rule,
    weight: Tensor,
    gradient: Tensor,
    state: MutableMapping[str, Tensor],
    t: Array,
    hyper: Mapping[str, Any],
    *,
    differentiable: bool = False,
) -> None:
    """Move `weight` and `state` one step of `rule`, in place; the gradient is only read.

    Args:
        rule: which rule.
        weight: real, dense, of any shape, dtype and device.
        gradient: of the weight's shape; sparse only for a rule that leaves weight and state alone where it is zero.
        state: for each slot of the rule a tensor of the weight's shape.
        t: the number of this weight's step, from 1; a tensor to keep it on the device.
        hyper: a value for every hyperparameter.
        differentiable: replace the old state instead of writing into it, which autograd needs.
    """
    if gradient.is_sparse:
        _step_touched(rule, weight, gradient, state, t, hyper)
        return
    new, made = update(rule, weight.clone() if differentiable else weight, gradient, state, t, hyper)
    weight.copy_(new)
    for slot, value in made.state.items():
        if differentiable:
            state[slot] = value
        else:
            state[slot].copy_(value)


def _step_touched(
    rule: Rule, weight: Tensor, gradient: Tensor, state: Mapping[str, Tensor], t: Array, hyper: Mapping[str, Any]
) -> None:
    """Step only the weights that a sparse gradient has entries for."""
    gradient = gradient.coalesce()
    touched = tuple(gradient.indices())
    rows = {slot: value[touched] for slot, value in state.items()}
    weight[touched], made = update(rule, weight[touched], gradient.values(), rows, t, hyper)
    for slot, value in made.state.items():
        state[slot][touched] = value
