"""Flax NNX: Surefoot's rules are optax transformations, so `nnx.Optimizer` takes them."""

import jax
import jax.numpy as jnp
from flax import nnx

import surefoot.optax


class Model(nnx.Module):
    """A small network."""

    def __init__(self, rngs: nnx.Rngs):
        self.first = nnx.Linear(4, 32, rngs=rngs)
        self.second = nnx.Linear(32, 1, rngs=rngs)

    def __call__(self, x):
        """Return the prediction."""
        return self.second(nnx.tanh(self.first(x)))


@nnx.jit
def train_step(model, optimizer, x, y):
    """Take one step and return the loss before it."""
    loss, gradients = nnx.value_and_grad(lambda model: jnp.mean((model(x) - y) ** 2))(model)
    optimizer.update(model, gradients)
    return loss


model = Model(nnx.Rngs(0))
optimizer = nnx.Optimizer(model, surefoot.optax.adabound(1e-2), wrt=nnx.Param)
x = jax.random.normal(jax.random.key(0), (256, 4))
y = x.sum(axis=1, keepdims=True)
losses = [float(train_step(model, optimizer, x, y)) for _ in range(200)]
print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
