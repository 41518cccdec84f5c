"""Keras 3, on any backend: pass the optimizer to `compile`.

KERAS_BACKEND=jax python keras_fit.py
"""

import keras
import numpy as np

import surefoot.keras

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(32, activation="tanh"), keras.layers.Dense(1)])
model.compile(surefoot.keras.AdaBound(learning_rate=1e-2), loss="mse")

x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")
y = x.sum(axis=1, keepdims=True)
first = model.evaluate(x, y, verbose=0)
model.fit(x, y, batch_size=64, epochs=30, verbose=0)
print(f"loss {first:.4f} -> {model.evaluate(x, y, verbose=0):.4f}")
