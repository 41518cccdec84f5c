"""A rule run on NumPy float64 over a given sequence of gradients: our side of every comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from surefoot.bundle import Bundle
from surefoot.conventions import shown
from surefoot.rule import WEIGHT, Rule, Step
from surefoot.rules import RULES
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
    watch: Callable[[int, Step], None] | None = None,
    evaluate: bool = False,
) -> np.ndarray:
    """Return the weights after each step: one row a step, one column a weight.

    To a rule that looks at all tensors of an optimizer they are several, else one.

    Args:
        name: which rule.
        framework: whose convention.
        options: as a user of that framework writes them.
        gradients: one row a step.
        start: the weights before the first step.
        rates: the learning rate of each step; `lr` of the options is then what the schedule is measured against.
        rule: runs instead of the rule of that name (a faulty one, in the teeth test).
        watch: called with the step count and the step.
        evaluate: return the weights that evaluation asks for.
    """
    rule = rule or RULES[name]
    hyper = rule.complete(shown(name, framework, options))
    if rates is not None:
        hyper["base_lr"] = hyper["lr"]
    weight, path, state = _tensors(rule, start), np.empty_like(gradients), _begin(rule, hyper, start)
    for i, gradient in enumerate(gradients):
        if rates is not None:
            hyper["lr"] = float(rates[i])
        weight, state, step = update(rule, weight, _tensors(rule, gradient), state, i + 1, hyper)
        shown_weight = evaluated(rule, weight, state, hyper) if evaluate else weight
        path[i] = np.concatenate(shown_weight.members) if rule.shared else shown_weight
        if watch is not None:
            watch(i + 1, step)
    return path


def _tensors(rule: Rule, array: np.ndarray) -> Any:
    """Return an array as the rule sees it: whole, or as several tensors."""
    return Bundle(np.split(array, len(array) // TENSOR)) if rule.shared else array


def _begin(rule: Rule, hyper: Mapping[str, Any], start: np.ndarray) -> dict[str, Any]:
    """Return the state before the first step."""
    numbers = rule.numbers(hyper)
    return {
        slot: value if slot in numbers else _tensors(rule, start if value is WEIGHT else np.full_like(start, value))
        for slot, value in rule.starts(hyper).items()
    }
