"""Flax NNX and Equinox, as in their own first examples: a small network learns, with any of our optimizers."""

from __future__ import annotations

import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

import surefoot.optax as ours  # noqa: E402

X = jax.random.normal(jax.random.key(0), (32, 2), jnp.float32)
Y = X[:, :1] * X[:, 1:]

MAKERS = {
    "adabound": lambda: ours.adabound(1e-2),
    "adamw": lambda: optax.chain(optax.clip_by_global_norm(1.0), ours.adamw(optax.cosine_decay_schedule(1e-2, 100))),
    "injected": lambda: optax.inject_hyperparams(ours.sgd)(0.1, momentum=0.9),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_flax_nnx(make):
    nnx = pytest.importorskip("flax.nnx")

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.linear1 = nnx.Linear(2, 16, rngs=rngs)
            self.linear2 = nnx.Linear(16, 1, rngs=rngs)

        def __call__(self, x):
            return self.linear2(nnx.relu(self.linear1(x)))

    model = Model(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, make(), wrt=nnx.Param)

    @nnx.jit
    def train_step(model, optimizer, x, y):
        loss, gradients = nnx.value_and_grad(lambda model: ((model(x) - y) ** 2).mean())(model)
        optimizer.update(model, gradients)
        return loss

    losses = [float(train_step(model, optimizer, X, Y)) for _ in range(100)]
    assert losses[-1] < losses[0] / 3
    assert model.linear1.kernel.dtype == jnp.float32


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("leaves", ["is_array", "is_inexact_array"])
def test_equinox(make, leaves):
    equinox = pytest.importorskip("equinox")
    model = equinox.nn.MLP(2, 1, 16, 1, key=jax.random.key(1), dtype=jnp.float32)
    optimizer = make()
    state = optimizer.init(equinox.filter(model, getattr(equinox, leaves)))

    @equinox.filter_jit
    def make_step(model, state, x, y):
        def loss_of(model):
            return ((jax.vmap(model)(x) - y) ** 2).mean()

        loss, gradients = equinox.filter_value_and_grad(loss_of)(model)
        moves, state = optimizer.update(gradients, state, equinox.filter(model, getattr(equinox, leaves)))
        return equinox.apply_updates(model, moves), state, loss

    losses = []
    for _ in range(100):
        model, state, loss = make_step(model, state, X, Y)
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 3


def test_equinox_in_bfloat16_keeps_its_kind_and_learns():
    equinox = pytest.importorskip("equinox")
    model = equinox.nn.Linear(2, 1, key=jax.random.key(1), dtype=jnp.bfloat16)
    optimizer = ours.sgd(1e-3, key=jax.random.key(2))
    state = optimizer.init(equinox.filter(model, equinox.is_inexact_array))
    target = jnp.ones((1, 2), jnp.float32)

    @equinox.filter_jit
    def make_step(model, state):
        gradients = equinox.filter_grad(lambda model: ((model.weight - target) ** 2).sum() / 2)(model)
        moves, state = optimizer.update(gradients, state, model)
        return equinox.apply_updates(model, moves), state

    before = np.abs(np.asarray(model.weight, np.float32) - 1).mean()
    for _ in range(1000):
        model, state = make_step(model, state)
    assert model.weight.dtype == jnp.bfloat16
    assert np.abs(np.asarray(model.weight, np.float32) - 1).mean() < before * 0.45
