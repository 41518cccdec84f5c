"""JAX: `run.optax()` is the optimizer as an optax transformation; weights and state are kept as values.

surefoot compare with_jax.py:train --better min --epochs 5
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from surefoot.optax import evaluation_params

x = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
y = np.sin(x.sum(axis=1, keepdims=True))
training, validation, test = slice(0, 256), slice(256, 320), slice(320, 400)


def begin(key):
    """Return the initial weights."""
    first, second = jax.random.split(key)
    inward, outward = 0.5 * jax.random.normal(first, (4, 32)), 0.2 * jax.random.normal(second, (32, 1))
    return {"in": inward, "bias": jnp.zeros(32), "out": outward}


@jax.jit
def loss_of(params, x, y):
    """Return the mean squared error."""
    return jnp.mean((jnp.tanh(x @ params["in"] + params["bias"]) @ params["out"] - y) ** 2)


def train(run):
    """Train once."""
    optimizer = run.optax()
    params = run.saved.get("params", begin(jax.random.key(run.seed)))
    state = run.saved.get("state", optimizer.init(params))

    @jax.jit
    def step(params, state, x, y):
        loss, gradients = jax.value_and_grad(loss_of)(params, x, y)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, loss

    def evaluated(part):
        return loss_of(evaluation_params(state, params, optimizer=optimizer), x[part], y[part])

    for _ in run.epochs():
        for rows in np.random.permutation(256).reshape(8, 32):  # seeded by the run
            params, state, loss = step(params, state, x[rows], y[rows])
            run.step(loss)
        run.save(params=params, state=state)
        run.report(lambda: evaluated(validation))
    run.test(lambda: evaluated(test))
