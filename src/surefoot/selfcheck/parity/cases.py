"""What is compared: every rule in every convention, with and without weight decay, on gradients of three sizes.

All sizes run side by side as blocks of one tensor. Without decay the weights start at 0, so that a weight is the sum of
its steps and an error of a step shows at any size. With decay they start near 1 and -1: there has to be something to
decay. Hyperparameters are those of the convention, and one learning rate for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from surefoot.conventions import CONVENTIONS, FRAMEWORKS

STEPS = 20
SCALES = (1.0, 1e-4, 1e-8)
LR = 0.01
DECAY = 0.1
BLOCK = 8
"""Weights of each size."""

_THEIR_FORM: dict[str, dict[str, Any]] = {
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "amsgrad": {"amsgrad": True},
}
"""What makes another framework's class our rule."""


@dataclass(frozen=True)
class Case:
    """One optimizer to run.

    Attributes:
        rule: which rule.
        convention: whose form and defaults of it.
        decay: whether weights decay.
        lr: the learning rate.
        own: whether the framework's own implementation runs, not ours.
    """

    rule: str
    convention: str
    decay: bool = False
    lr: float = LR
    own: bool = False

    @property
    def weight_decay(self) -> float:
        """The weight decay."""
        return DECAY if self.decay else 0.0

    @property
    def call(self) -> str:
        """The name of the framework's own implementation; empty if it has none."""
        return CONVENTIONS[self.rule][self.convention].call.rpartition(".")[2]

    @property
    def their_form(self) -> dict[str, Any]:
        """The arguments that make that implementation this rule."""
        return {} if self.call == self.rule else _THEIR_FORM.get(self.rule, {})

    def theirs(self, framework: str) -> Case | None:
        """Return the framework's own implementation of this case, if it has one."""
        return replace(self, own=True) if framework == self.convention and self.call else None


def grid(rule: str) -> Iterator[Case]:
    """Yield every case of a rule."""
    for convention in FRAMEWORKS:
        for decay in (False, True):
            yield Case(rule, convention, decay)


def gradients() -> np.ndarray:
    """Return float32 gradients: a row a step, a column a weight, a block of columns for each size."""
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((STEPS, BLOCK * len(SCALES))) + rng.choice([-0.5, 0.5], BLOCK * len(SCALES))
    return np.asarray(rows * np.repeat(SCALES, BLOCK), "float32")


def start(case: Case) -> np.ndarray:
    """Return the float32 weights before the first step."""
    size = np.tile(np.linspace(0.5, 1.5, BLOCK), len(SCALES))
    return np.asarray(np.resize([1.0, -1.0], size.shape) * size * case.decay, "float32")
