"""The inputs of a variable's step, and the joint step of all variables for rules with `total_all`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from keras import backend, ops

from surefoot.bundle import Bundle, members
from surefoot.frontends.blocks import in_blocks
from surefoot.frontends.matrices import MatrixView
from surefoot.frontends.number import Count
from surefoot.keras.arrays import widest
from surefoot.rule import Rule, Step
from surefoot.update import Update, update


class Start(NamedTuple):
    """The inputs of a step of one variable, or of a sparse gradient's rows.

    Attributes:
        rule: what steps it.
        view: the matrix that the rule sees; None if it sees the variable as it is. The arrays are those that it sees.
        weight: the training weight.
        gradient: of the weight's shape.
        state: the slots.
        hyper: a value for every hyperparameter but `lr`.
    """

    rule: Rule
    view: MatrixView | None
    weight: Any
    gradient: Any
    state: Mapping[str, Any]
    hyper: Mapping[str, Any]

    def whole(self, x: Any, slot: str = "") -> Any:
        """Return a result for the weights or a slot, in the variable's own layout."""
        return x if self.view is None or (slot and slot not in self.rule.each_weight) else self.view.back(x, ops)


def stepped(rule: Rule, starts: Sequence[Start], steps: Any, learning_rate: Any) -> list[Update]:
    """Return what the coming step makes of each variable; nothing moves."""
    if rule.shared:
        return _together(rule, starts, steps, learning_rate) if starts else []
    return [_alone(start, steps, learning_rate) for start in starts]


def _alone(start: Start, steps: Any, learning_rate: Any) -> Update:
    t, lr = (ops.cast(x, start.weight.dtype) for x in (steps, learning_rate))
    hyper = {**start.hyper, "lr": lr}

    def step(weight: Any, gradient: Any, state: Mapping[str, Any]) -> Update:
        return update(start.rule, weight, gradient, state, Count(t), hyper)

    return in_blocks(step, start.view, start.rule, start.weight, start.gradient, start.state, ops)


def _together(rule: Rule, starts: Sequence[Start], steps: Any, learning_rate: Any) -> list[Update]:
    """Return the joint step of each variable on bundles, in their widest dtype."""
    first, shared = starts[0], rule.shared
    kind = widest(x.dtype for start in starts for x in (start.weight, *start.state.values()))

    def wide(x: Any) -> Any:  # the same array, where it is wide enough: who writes it sees that it is
        return x if backend.standardize_dtype(x.dtype) == kind else ops.cast(x, kind)

    def bundle(arrays: Any) -> Bundle:
        return Bundle(map(wide, arrays))

    state = {
        slot: wide(kept) if slot in shared else bundle(start.state[slot] for start in starts)
        for slot, kept in first.state.items()
    }
    t, lr = (ops.cast(x, kind) for x in (steps, learning_rate))
    hyper = {**first.hyper, "lr": lr, "weight_decay": _one_or_each([start.hyper["weight_decay"] for start in starts])}
    weights, gradients = (bundle(arrays) for arrays in ([x.weight for x in starts], [x.gradient for x in starts]))
    return _apart(update(rule, weights, gradients, state, Count(t), hyper), len(starts))


def _one_or_each(values: Sequence[float]) -> Any:
    """Return the value shared by all, or a bundle. A rule may ask whether a number is in use."""
    return values[0] if len(set(values)) == 1 else Bundle(values)


def _apart(made: Update, count: int) -> list[Update]:
    each = {slot: members(value, count) for slot, value in made.state.items()}
    steps = zip(members(made.step.rate, count), members(made.step.direction, count), strict=True)
    return [
        Update(weight, {slot: values[i] for slot, values in each.items()}, Step(rate=rate, direction=direction))
        for i, (weight, (rate, direction)) in enumerate(zip(members(made.weight, count), steps, strict=True))
    ]
