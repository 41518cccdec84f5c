"""What a front-end has to do to be measured: run optimizers, its framework's own and ours, over given gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from surefoot.selfcheck.parity.cases import Case


class FrontEnd(Protocol):
    """One framework, on one backend."""

    name: str
    """`torch`, `optax`, `keras-jax`, `keras-torch` or `keras-tensorflow`."""
    framework: str
    """Whose convention its own implementations follow."""

    def drive(
        self, cases: Sequence[Case], starts: Sequence[np.ndarray], rows: np.ndarray, dtype: str = "float32"
    ) -> list[np.ndarray]:
        """Return, for each case, the weights after each step: float32, one row a step.

        Args:
            cases: which optimizers.
            starts: the weights of each before the first step.
            rows: the gradients, the same for all.
            dtype: the kind of numbers of weights and gradients: `float32` or `bfloat16`.
        """
