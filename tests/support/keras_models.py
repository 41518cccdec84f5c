"""A small Keras model and its data, on the backend of this process."""

from __future__ import annotations

from typing import Any

import numpy as np


def data(rows: int = 128) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, 8)).astype("float32")
    return x, (x @ rng.standard_normal((8, 3))).argmax(axis=1)


def model(optimizer: Any, *, deep: bool = True, **options: Any) -> Any:
    """Return a compiled model; without its hidden layer it compiles in half the time."""
    import keras

    made = keras.Sequential([keras.Input((8,))])
    if deep:
        made.add(keras.layers.Dense(16, activation="relu", kernel_initializer="zeros"))  # quicker than to draw
    made.add(keras.layers.Dense(3, kernel_initializer="zeros"))
    rng = np.random.default_rng(1)  # Keras draws other weights in other kinds of numbers
    made.set_weights([0.3 * rng.standard_normal(w.shape) for w in made.get_weights()])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(optimizer, loss=loss, **options)
    return made


def fit(made: Any, epochs: int = 3, **options: Any) -> list[float]:
    return made.fit(*data(), batch_size=32, epochs=epochs, shuffle=False, verbose=0, **options).history["loss"]


def weights(made: Any) -> list[np.ndarray]:
    return [np.asarray(w, dtype="float32") for w in made.get_weights()]


def check_same(ours: Any, theirs: Any, rtol: float = 1e-5) -> None:
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=rtol * max(1.0, np.abs(b).max()))
