"""A rule run on NumPy float64 over a given sequence of gradients: our side of every comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from surefoot.conventions import shown
from surefoot.rule import Rule, Step
from surefoot.rules import RULES
from surefoot.update import update


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
) -> np.ndarray:
    """Return the weights after each step: one row a step, one column a weight.

    Args:
        name: which rule.
        framework: whose convention.
        options: as a user of that framework writes them.
        gradients: one row a step.
        start: the weights before the first step.
        rates: the learning rate of each step; `lr` of the options is then what the schedule is measured against.
        rule: runs instead of the rule of that name (a faulty one, in the teeth test).
        watch: called with the step count and the step.
    """
    rule = rule or RULES[name]
    hyper = rule.complete(shown(name, framework, options))
    if rates is not None:
        hyper["base_lr"] = hyper["lr"]
    weight, path = start, np.empty_like(gradients)
    state = {slot: np.full_like(start, value) for slot, value in rule.starts(hyper).items()}
    for i, gradient in enumerate(gradients):
        if rates is not None:
            hyper["lr"] = float(rates[i])
        weight, state, step = update(rule, weight, gradient, state, i + 1, hyper)
        path[i] = weight
        if watch is not None:
            watch(i + 1, step)
    return path
