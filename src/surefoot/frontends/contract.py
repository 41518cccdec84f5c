"""The contract of the front-ends: an optimizer follows the rule on NumPy in float64.

`tests/frontends/test_contract.py` holds every front-end to it, and `surefoot check --parity` measures how exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from surefoot.frontends.lookup import find, values
from surefoot.rule import Rule
from surefoot.update import begun, update


@dataclass(frozen=True)
class Setup:
    """One optimizer to run.

    Attributes:
        rule: which rule: one of ours by name, or any as itself.
        convention: whose form and defaults of it.
        lr: the learning rate, or that of each step.
        weight_decay: share of each weight, as the convention has it.
        options: other arguments.
        call: the name of the framework's own implementation, which runs in the place of ours.
        dtype: the kind of numbers of weights and gradients: `float32`, `bfloat16` or `float16`.
        restart: after so many steps the state is saved, and another optimizer, made alike, loads it and goes on.
        one_buffer: in torch each gradient is written over the last, as `zero_grad(set_to_none=False)` makes it.
    """

    rule: Rule | str
    convention: str
    lr: float | tuple[float, ...] = 0.01
    weight_decay: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    call: str = ""
    dtype: str = "float32"
    restart: int | None = None
    one_buffer: bool = False

    def rate(self, count: int) -> float:
        """Return the learning rate of the step that follows so many others."""
        return self.lr[count] if isinstance(self.lr, tuple) else self.lr


class FrontEnd(Protocol):
    """One framework, on one backend."""

    name: str
    """`torch`, `optax`, `keras-jax`, `keras-torch` or `keras-tensorflow`."""
    framework: str
    """Whose convention its own implementations follow."""

    def drive(self, setups: Sequence[Setup], starts: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        """Return, for each optimizer, the weights after each step: float32, one row a step.

        Args:
            setups: which optimizers.
            starts: the weights of each before the first step.
            rows: the gradients, the same for all.
        """


def exact(setup: Setup, start: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the weights after each step of the rule itself, in float64."""
    rule, rate = find(setup.rule), setup.rate(0)
    given = {**setup.options, "lr": rate, "weight_decay": setup.weight_decay}
    hyper = {**values(rule, setup.convention, given, at_home=setup.convention), "base_lr": rate}
    weight, path = start.astype("float64"), []
    state = begun(rule, hyper, weight)
    for t, gradient in enumerate(rows.astype("float64"), start=1):
        weight, state, _ = update(rule, weight, gradient, state, t, {**hyper, "lr": setup.rate(t - 1)})
        path.append(weight)
    return np.array(path)
