"""A rule run on NumPy float64 over a given sequence of gradients: our side of every comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from surefoot.bundle import Bundle
from surefoot.conventions import shown
from surefoot.rule import WEIGHT, Rule, Step, slot_shape
from surefoot.rules import rule_of
from surefoot.update import evaluated, update

TENSOR = 8
"""The weights of one tensor, where a rule looks at several."""


def run(
    name: str,
    framework: str,
    options: Mapping[str, Any],
    gradients: np.ndarray,
    start: np.ndarray,
    rates: np.ndarray | None = None,
    *,
    rule: Rule | None = None,
    evaluate: bool = False,
    watch: Callable[[int, Step], None] | None = None,
) -> np.ndarray:
    """Return the weights after each step: one row a step, one column a weight, or a matrix.

    To a rule that looks at all tensors of an optimizer they are several, else one.

    Args:
        name: which rule.
        framework: whose convention.
        options: as a user of that framework writes them.
        gradients: one row, or matrix, a step.
        start: the weights before the first step.
        rates: the learning rate of each step; `lr` of the options is then what the schedule is measured against.
        rule: runs instead of the rule of that name (a faulty one, in the teeth test).
        evaluate: whether to return the weights that a model is evaluated with.
        watch: called with the step count and the step.
    """
    rule = rule or rule_of(name)
    hyper = rule.complete(shown(name, framework, options))
    if rates is not None:
        hyper["base_lr"] = hyper["lr"]
    weight, path = tensors(rule, start), np.empty_like(gradients)
    state = start_state(rule, hyper, start)
    for i, gradient in enumerate(gradients):
        if rates is not None:
            hyper["lr"] = float(rates[i])
        weight, state, step = update(rule, weight, tensors(rule, gradient), state, i + 1, hyper)
        made = evaluated(rule, weight, state, hyper) if evaluate else weight
        path[i] = np.concatenate(made.members) if rule.shared else made
        if watch is not None:
            watch(i + 1, step)
    return path


def start_state(rule: Rule, hyper: Mapping[str, Any], start: np.ndarray) -> dict[str, Any]:
    """Return each slot before the first step: an array, or a number where the rule keeps one for a tensor."""
    numbers, per = rule.numbers(hyper), {slot.name: slot.per for slot in rule.active(hyper)}
    return {
        slot: x if slot in numbers else tensors(rule, start.copy() if x is WEIGHT else _full(per[slot], start, x))
        for slot, x in rule.starts(hyper).items()
    }


def _full(per: str, start: np.ndarray, value: float) -> np.ndarray:
    return np.full(slot_shape(per, start.shape), value, start.dtype)


def tensors(rule: Rule, array: np.ndarray) -> Any:
    """Return an array as the rule sees it: whole, or as several tensors."""
    return Bundle(np.split(array, len(array) // TENSOR)) if rule.shared else array
