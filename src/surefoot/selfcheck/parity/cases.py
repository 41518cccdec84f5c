"""What is compared: every rule in every convention, with and without weight decay, on gradients of three sizes.

All sizes run side by side as blocks of one tensor. Without decay the weights start at 0, so that a weight is the sum of
its steps and an error of a step shows at any size. With decay they start near 1 and -1: there has to be something to
decay. Hyperparameters are those of the convention, and one learning rate for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from surefoot.conventions import CONVENTIONS, FRAMEWORKS
from surefoot.frontends.contract import Setup

STEPS = 20
SCALES = (1.0, 1e-4, 1e-8)
DECAY = 0.1
BLOCK = 8
"""Weights of each size."""

_THEIR_FORM: dict[str, dict[str, Any]] = {
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "amsgrad": {"amsgrad": True},
}
"""What makes another framework's class our rule."""


def grid(rule: str) -> Iterator[Setup]:
    """Yield every case of a rule."""
    for convention in FRAMEWORKS:
        for decay in (0.0, DECAY):
            yield Setup(rule, convention, weight_decay=decay)


def theirs(setup: Setup, framework: str) -> Setup | None:
    """Return the framework's own implementation of a case, if it has one."""
    rule = str(setup.rule)
    call = CONVENTIONS[rule][framework].call.rpartition(".")[2]
    if framework != setup.convention or not call:
        return None
    return replace(setup, call=call, options={} if call == rule else _THEIR_FORM.get(rule, {}))


def gradients() -> np.ndarray:
    """Return float32 gradients: a row a step, a column a weight, a block of columns for each size."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((STEPS, BLOCK * len(SCALES))) + rng.choice([-0.5, 0.5], BLOCK * len(SCALES))
    return np.asarray(rows * np.repeat(SCALES, BLOCK), "float32")


def start(setup: Setup) -> np.ndarray:
    """Return the float32 weights before the first step."""
    size = np.tile(np.linspace(0.5, 1.5, BLOCK), len(SCALES))
    return np.asarray(np.resize([1.0, -1.0], size.shape) * size * bool(setup.weight_decay), "float32")
