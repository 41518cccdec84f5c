"""Keras: Surefoot's optimizers beside keras.optimizers', on the backend that the process has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

import surefoot.keras
from surefoot.selfcheck.parity.cases import Case


class Keras:
    """The front-end of Keras."""

    framework = "keras"

    def __init__(self) -> None:
        self.name = f"keras-{keras.backend.backend()}"

    def drive(
        self, cases: Sequence[Case], starts: Sequence[np.ndarray], rows: np.ndarray, dtype: str = "float32"
    ) -> list[np.ndarray]:
        """Return, for each case, the weights after each step; see `FrontEnd`."""
        return [_drive(case, start, rows, dtype) for case, start in zip(cases, starts, strict=True)]


def make(case: Case) -> Any:
    """Return the optimizer of a case."""
    options = {"learning_rate": case.lr, "weight_decay": case.weight_decay}
    if case.own:
        return getattr(keras.optimizers, case.call)(**options, **case.their_form)
    return surefoot.keras.RuleOptimizer(case.rule, convention=case.convention, **options)


def _drive(case: Case, start: np.ndarray, rows: np.ndarray, dtype: str) -> np.ndarray:
    weight, optimizer, path = keras.Variable(start, dtype=dtype), make(case), []
    for row in rows:
        optimizer.apply([keras.ops.convert_to_tensor(row, dtype)], [weight])
        path.append(np.array(keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))))
    return np.array(path)
