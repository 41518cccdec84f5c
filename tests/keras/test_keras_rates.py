"""`effective_lr` of a Keras optimizer: the step size of each weight in the coming step, on each backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keras_backends import on_each_backend

START, GRADIENT = np.array([1.0, -2.0, 0.5]), np.array([1.0, 0.01, -1e-4])

MADE: dict[str, dict[str, Any]] = {
    "SGD": {},
    "Adagrad": {},
    "Adadelta": {},
    "RMSprop": {},
    "Adam": {"beta_1": 0.0},
    "AdaBound": {"beta_1": 0.0},
    "AMSBound": {"beta_1": 0.0},
}
"""Optimizers whose direction is the gradient itself, so that a step shows the rate."""


def made(name: str, dtype: str = "float32", **more: Any) -> tuple[Any, list[Any]]:
    import keras

    import surefoot.keras

    variables = [keras.Variable(START, dtype=dtype), keras.Variable(np.ones(2), dtype=dtype)]
    optimizer = getattr(surefoot.keras, name)(learning_rate=0.05, **MADE[name], **more)
    optimizer.build(variables)
    return optimizer, variables


def grads(value: np.ndarray = GRADIENT) -> list[Any]:
    from keras import ops

    return [ops.convert_to_tensor(value.astype("float32")), None]


@on_each_backend
@pytest.mark.parametrize("name", MADE)
def test_the_rate_is_what_the_next_step_moves_by(name):
    from keras import ops

    optimizer, (weight, other) = made(name)
    for _ in range(3):
        before = ops.convert_to_numpy(weight).astype(float)
        rate, nothing = optimizer.effective_lr(grads())
        assert nothing is None
        assert (ops.convert_to_numpy(weight) == before).all()
        optimizer.apply([grads()[0]], [weight])
        moved = before - ops.convert_to_numpy(weight)
        np.testing.assert_allclose(moved, ops.convert_to_numpy(rate) * GRADIENT, rtol=1e-5, atol=3e-7)
    assert int(ops.convert_to_numpy(optimizer.iterations)) == 3
    assert (ops.convert_to_numpy(other) == 1).all()


@on_each_backend
def test_gradients_are_unscaled_and_clipped_as_in_a_step():
    from keras import ops

    optimizer, _ = made("Adagrad", loss_scale_factor=8.0, clipvalue=0.005)
    plain, _ = made("Adagrad")
    found = optimizer.effective_lr(grads(8 * GRADIENT))[0]
    expected = plain.effective_lr(grads(np.clip(GRADIENT, -0.005, 0.005)))[0]
    np.testing.assert_allclose(*map(ops.convert_to_numpy, (found, expected)), rtol=1e-6)


@on_each_backend
def test_of_weights_in_bfloat16_it_is_in_float32():
    from keras import backend

    optimizer, _ = made("Adam", "bfloat16")
    rate = optimizer.effective_lr(grads())[0]
    assert backend.standardize_dtype(rate.dtype) == "float32"
    assert tuple(rate.shape) == (3,)
