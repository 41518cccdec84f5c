"""Keras: `fit` is called once an epoch, with the optimizer that `run.keras()` returns; any backend.

KERAS_BACKEND=jax surefoot compare with_keras.py:train --better min --epochs 5
"""

import keras
import numpy as np

x = np.random.default_rng(0).normal(size=(400, 4)).astype("float32")
y = np.sin(x.sum(axis=1, keepdims=True))
training, validation, test = slice(0, 256), slice(256, 320), slice(320, 400)


def train(run):
    """Train once."""
    keras.utils.set_random_seed(run.seed)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(32, activation="tanh"), keras.layers.Dense(1)])
    model.compile(run.keras(), loss="mse")
    steps = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: run.step(logs["loss"]))
    for _ in run.epochs(steps=8):
        model.fit(x[training], y[training], batch_size=32, verbose=0, callbacks=[steps])
        run.report(lambda: model.evaluate(x[validation], y[validation], verbose=0))
    run.test(lambda: model.evaluate(x[test], y[test], verbose=0))
