"""Rules for matrices in every front-end, on a matrix, beside the rule on NumPy; in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import reference
from keras_backends import on
from surefoot.rules.adafactor import adafactor
from surefoot.rules.adam import adam
from surefoot.rules.hyperball import hyperball
from surefoot.rules.muon import muon
from surefoot.rules.normuon import normuon
from surefoot.rules.soap import soap

MATRIX_RULES = {rule.name: rule for rule in (normuon, adafactor, soap, hyperball(muon), hyperball(adam))}
START = np.random.default_rng(0).uniform(0.5, 1.5, (8, 6))
GRADIENTS = np.random.default_rng(1).standard_normal((15, 8, 6))
WITHIN = 1e-12
"""Products are added up in another order; SOAP's bases turn such differences by less than a hundredfold."""


def assert_near(found: np.ndarray, name: str, framework: str, **options: float) -> None:
    """Check weights after all steps, with a row for each output."""
    right = reference.run(MATRIX_RULES[name], framework, {"lr": 0.01, **options}, GRADIENTS, START)[-1]
    assert np.abs(found - right).max() <= WITHIN * np.abs(right - START).max()


@pytest.mark.parametrize("name", MATRIX_RULES)
@pytest.mark.parametrize("restart", [99, 7])
def test_in_torch(name, restart):
    """Also over a checkpoint, whose slots of other shapes come back by name."""
    from surefoot.torch import RuleOptimizer

    def make():
        return RuleOptimizer([p], MATRIX_RULES[name], lr=0.01, weight_decay=0.1)

    p = torch.nn.Parameter(torch.tensor(START))
    optimizer = make()
    for step, g in enumerate(GRADIENTS):
        if step == restart:
            kept, optimizer = optimizer.state_dict(), make()
            optimizer.load_state_dict(kept)
        p.grad = torch.tensor(g)
        optimizer.step()
    assert_near(p.detach().numpy(), name, "torch", weight_decay=0.1)


@pytest.mark.parametrize("name", MATRIX_RULES)
def test_in_optax(name):
    """Also over a file: of the state's arrays as NumPy has them, in the places of those of a new one."""
    import jax
    import jax.numpy as jnp
    import optax

    from surefoot.optax import factory

    transformation = factory(MATRIX_RULES[name])(0.01)
    weights, update = jnp.asarray(START.T), jax.jit(transformation.update)
    state = transformation.init(weights)
    for step, g in enumerate(GRADIENTS):
        if step == 7:
            kept = [np.asarray(x) for x in jax.tree.leaves(state)]
            state = jax.tree.unflatten(jax.tree.structure(transformation.init(weights)), kept)
        moves, state = update(jnp.asarray(g.T), state, weights)
        weights = optax.apply_updates(weights, moves)
    assert_near(np.asarray(weights).T, name, "optax")


@on("torch")
@pytest.mark.parametrize("name", MATRIX_RULES)
def test_in_keras(name):
    """In Keras's own float64; jax's is in the test before."""
    import keras

    from surefoot.keras import RuleOptimizer

    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        variable = keras.Variable(START.T, dtype="float64")
        optimizer = RuleOptimizer(MATRIX_RULES[name], learning_rate=0.01)
        optimizer.build([variable])
        for g in GRADIENTS:
            optimizer.apply([keras.ops.convert_to_tensor(g.T)], [variable])
        assert_near(keras.ops.convert_to_numpy(variable.value).T, name, "keras")
    finally:
        keras.config.set_floatx(before)


@pytest.mark.parametrize("rule", [adafactor, soap], ids=lambda rule: rule.name)
def test_what_is_no_matrix_is_stepped_by_the_plain_form(rule):
    from surefoot.torch import RuleOptimizer

    p = torch.nn.Parameter(torch.ones(6, dtype=torch.float64))
    optimizer = RuleOptimizer([p], rule, lr=0.01)
    for g in GRADIENTS[:, 0]:
        p.grad = torch.tensor(g)
        optimizer.step()
    given = {"betas[0]": 0.95, "betas[1]": 0.95, "decay": "after"} if rule is soap else {}
    right = reference.run(rule.vector, "torch", {"lr": 0.01, **given}, GRADIENTS[:, 0], np.ones(6))[-1]
    np.testing.assert_allclose(p.detach().numpy(), right, rtol=1e-12)
