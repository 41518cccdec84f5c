"""Keras: Surefoot's optimizers beside keras.optimizers', on the backend that the process has."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import keras
import numpy as np

import surefoot.keras
from surefoot.frontends.contract import Setup
from surefoot.frontends.lookup import values
from surefoot.rules import schedule_free_adamw
from surefoot.update import begun, evaluated, update


class Keras:
    """The front-end of Keras."""

    framework = "keras"

    def __init__(self) -> None:
        self.name = f"keras-{keras.backend.backend()}"

    def drive(self, setups: Sequence[Setup], starts: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        """Return, for each optimizer, the weights after each step; see `FrontEnd`."""
        return [_drive(setup, start, rows) for setup, start in zip(setups, starts, strict=True)]


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The learning rate of each step."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def __call__(self, step: Any) -> float:
        return self.setup.rate(int(step))


def _drive(setup: Setup, start: np.ndarray, rows: np.ndarray) -> np.ndarray:
    weight, optimizer, path = keras.Variable(start, dtype=setup.dtype), _make(setup), []
    for count, row in enumerate(rows):
        if count == setup.restart:
            file: dict[str, Any] = {}
            optimizer.save_own_variables(file)
            optimizer = _make(setup)
            optimizer.build([weight])
            optimizer.load_own_variables(file)
        optimizer.apply([keras.ops.convert_to_tensor(row, setup.dtype)], [weight])
        path.append(np.array(keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))))
    return np.array(path)


def _make(setup: Setup) -> Any:
    rate = _Schedule(setup) if isinstance(setup.lr, tuple) else setup.lr
    options = {"learning_rate": rate, "weight_decay": setup.weight_decay, **setup.options}
    if setup.call:
        return getattr(keras.optimizers, setup.call)(**options)
    return surefoot.keras.RuleOptimizer(setup.rule, convention=setup.convention, **options)


def row_twice(setup: Setup, start: np.ndarray) -> np.ndarray:
    """Return the rows of an embedding on TensorFlow after one step in which row 0 has the gradient 1, twice."""
    tensorflow: Any = import_module("tensorflow")
    table = keras.Variable(start)
    twice = tensorflow.IndexedSlices(tensorflow.ones((2, 1)), tensorflow.constant([0, 0]), tensorflow.constant([2, 1]))
    _make(setup).apply([twice], [table])
    return np.array(keras.ops.convert_to_numpy(table))


def predicted(*, own: bool) -> float:
    """Return how far from Schedule-Free's average a model predicts after a training, as a share of the way.

    The model is one weight that begins at 0; its loss draws it to 1.
    """
    made = keras.optimizers.ScheduleFreeAdamW if own else surefoot.keras.ScheduleFreeAdamW
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    model.compile(made(learning_rate=0.1), "mse")
    one = np.ones((1, 1), "float32")
    model.fit(one, one, epochs=20, verbose=0, callbacks=[] if own else [surefoot.keras.EvaluationWeights()])
    average = _average(steps=20, lr=0.1)
    return float(abs(model.predict(one, verbose=0)[0, 0] / average - 1))


def _average(steps: int, lr: float) -> float:
    """Return the average of the weights of that training, by the rule on NumPy in float64."""
    hyper = values(schedule_free_adamw, "keras", {"lr": lr}, at_home="keras")
    weight = np.zeros(1)
    state = begun(schedule_free_adamw, hyper, weight)
    for t in range(1, steps + 1):
        weight, state, _ = update(schedule_free_adamw, weight, 2 * (weight - 1), state, t, hyper)
    return float(evaluated(schedule_free_adamw, weight, state, hyper)[0])
