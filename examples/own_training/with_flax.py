"""Flax NNX: `nnx.Optimizer` takes the transformation that `run.optax()` returns.

surefoot compare with_flax.py:train --better min --epochs 5
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from surefoot.optax import evaluation_params

x = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
y = np.sin(x.sum(axis=1, keepdims=True))
training, validation, test = slice(0, 256), slice(256, 320), slice(320, 400)


class Model(nnx.Module):
    """A small network."""

    def __init__(self, rngs):
        self.first, self.second = nnx.Linear(4, 32, rngs=rngs), nnx.Linear(32, 1, rngs=rngs)

    def __call__(self, x):
        """Return the prediction."""
        return self.second(nnx.tanh(self.first(x)))


def loss_of(model, x, y):
    """Return the mean squared error."""
    return jnp.mean((model(x) - y) ** 2)


@nnx.jit
def step(model, optimizer, x, y):
    """Take a step and return the loss before it."""
    loss, gradients = nnx.value_and_grad(loss_of)(model, x, y)
    optimizer.update(model, gradients)
    return loss


def train(run):
    """Train once."""
    model, transformation = Model(nnx.Rngs(run.seed)), run.optax()
    optimizer = nnx.Optimizer(model, transformation, wrt=nnx.Param)
    if run.saved:
        nnx.update(model, run.saved["model"])
        nnx.update(optimizer, run.saved["optimizer"])

    def evaluated(part):
        state, params = nnx.as_pure(optimizer.opt_state), nnx.as_pure(nnx.state(model, nnx.Param))
        other = nnx.clone(model)
        nnx.update(other, evaluation_params(state, params, optimizer=transformation))
        return loss_of(other, x[part], y[part])

    for _ in run.epochs():
        for rows in np.random.permutation(256).reshape(8, 32):  # seeded by the run
            run.step(step(model, optimizer, x[rows], y[rows]))
        values = {"model": nnx.state(model), "optimizer": nnx.state(optimizer)}
        run.save(**{name: jax.tree.map(np.asarray, value) for name, value in values.items()})
        run.report(lambda: evaluated(validation))
    run.test(lambda: evaluated(test))
