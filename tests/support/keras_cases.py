"""Every rule that Keras has too, with options that change its form, on gradients that all tests share.

`python tests/support/keras_cases.py` prints what Keras itself makes of them: `golden/keras.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

STEPS = 200
HEAVY = {"momentum": 0.9}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {}),
    "sgd-decay": ("SGD", {"weight_decay": 0.1}),
    "momentum": ("SGD", HEAVY),
    "nesterov": ("SGD", {**HEAVY, "nesterov": True}),
    "adagrad": ("Adagrad", {"learning_rate": 0.01}),
    "adagrad-zero": ("Adagrad", {"initial_accumulator_value": 0.0, "weight_decay": 0.1}),
    "adadelta": ("Adadelta", {"learning_rate": 1.0}),
    "adadelta-default": ("Adadelta", {"weight_decay": 0.1}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop-momentum": ("RMSprop", HEAVY),
    "rmsprop-centered": ("RMSprop", {**HEAVY, "centered": True, "weight_decay": 0.1}),
    "adam": ("Adam", {}),
    "adam-betas": ("Adam", {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}),
    "amsgrad": ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    "adamw": ("AdamW", {}),
    "lion": ("Lion", {}),
    "lion-decay": ("Lion", {"beta_1": 0.8, "beta_2": 0.95, "weight_decay": 0.1}),
    "adamax": ("Adamax", {}),
    "adamax-decay": ("Adamax", {"beta_1": 0.8, "epsilon": 1e-3, "weight_decay": 0.1}),
    "nadam": ("Nadam", {}),
    "nadam-decay": ("Nadam", {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3, "weight_decay": 0.1}),
    "lamb": ("Lamb", {}),
    "lamb-decay": ("Lamb", {"beta_1": 0.8, "beta_2": 0.95, "weight_decay": 0.1}),
    "adamw-amsgrad": ("AdamW", {"amsgrad": True, "weight_decay": 0.1}),
}
"""Class and arguments, by a name for the case."""

START = np.linspace(-1, 1, 8).astype("float32")


def gradients(steps: int = STEPS) -> np.ndarray:
    """A row a step: columns of very different size, as the layers of a network have."""
    scale = np.array([1, 1, 1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6])
    return (np.random.default_rng(0).standard_normal((steps, 8)) * scale).astype("float32")


def drive(optimizer: Any, rows: np.ndarray, start: np.ndarray = START) -> np.ndarray:
    """Return the weights after each step."""
    import keras

    weight = keras.Variable(start, dtype=str(start.dtype))
    path = np.empty((len(rows), *start.shape), start.dtype)
    for k, row in enumerate(rows):
        optimizer.apply([keras.ops.convert_to_tensor(row)], [weight])
        path[k] = keras.ops.convert_to_numpy(weight)
    return path


@contextmanager
def in_float64() -> Iterator[None]:
    """Make the backend keep what Keras counts in, such as the learning rate, in float64."""
    import keras

    jax = sys.modules["jax"] if keras.backend.backend() == "jax" else None
    keras.config.set_floatx("float64")
    if jax:
        jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        keras.config.set_floatx("float32")
        if jax:
            jax.config.update("jax_enable_x64", False)


def golden() -> dict[str, list[float]]:
    """The weights after the last step of Keras's own classes."""
    import keras

    return {
        case: drive(getattr(keras.optimizers, name)(**options), gradients())[-1].tolist()
        for case, (name, options) in CASES.items()
    }


if __name__ == "__main__":
    print(json.dumps(golden(), indent=1))
