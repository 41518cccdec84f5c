"""`surefoot.optax.effective_lr`: the step size of each weight in the coming update."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import surefoot.optax as ours  # noqa: E402
from settings import ANY_SHAPE  # noqa: E402
from surefoot.errors import UsageError  # noqa: E402
from surefoot.optax import effective_lr  # noqa: E402
from surefoot.rules import RULES  # noqa: E402

PARAMS = {"w": jnp.linspace(0.5, 1.5, 3), "b": None, "s": jnp.asarray(2.0, jnp.float64)}
GRADIENTS = {"w": jnp.asarray([1.0, 0.1, -2.0]), "b": None, "s": jnp.asarray(0.5, jnp.float64)}


FIRST = {
    "nesterov": lambda g: 1.9 * g,
    "lion": jnp.sign,
    "yogi": lambda g: 0.1 * g + 0.9 * 1e-6,
    "adopt": jnp.zeros_like,
    "ademamix": lambda g: g + 5 * (1 - 0.9999) * g,
    "adan": lambda g: g,
    **dict.fromkeys(("nadam", "nadamw"), lambda g: 0.1 * (0.9 * 0.1 / 0.19 + 1) * g),
    "signum": jnp.sign,
    "adamatan2": lambda g: jnp.sign(g) * jnp.pi / 4,
    "lars": lambda g: g * 1e-3 * jnp.linalg.norm(PARAMS["w" if g.shape else "s"]) / jnp.linalg.norm(g),
    "prodigy": lambda g: 0.1 * 1e-6 * g,  # the first guess of the distance
    "dadapt_adam": lambda g: 1e-6 * 1e-2 * 0.001**0.5 * g,  # times the learning rate, corrected
}
"""The direction of the first step, where it is neither the gradient nor a tenth of it."""


@pytest.mark.parametrize("name", ANY_SHAPE)
def test_rate_times_direction_is_the_step(name):
    """On a first step without momentum the direction is the gradient, or Adam's share of it."""
    optimizer = getattr(ours, name)(1e-2, **({"momentum": 0.0} if name == "momentum" else {}))
    state = optimizer.init(PARAMS)
    moves, _ = optimizer.update(GRADIENTS, state, PARAMS)
    rates = effective_lr(state, GRADIENTS, PARAMS, optimizer=optimizer)
    share = 0.1 if "m" in RULES[name].starts({}) else 1.0
    first = FIRST.get(name, lambda g: share * g)
    decay = 1e-2 * {"adamw": 1e-4, "nadamw": 1e-4, "adamc": 1e-4, "lion": 1e-3, "stableadamw": 1e-2}.get(name, 0.0)
    assert rates["b"] is None
    for leaf in ("w", "s"):
        assert rates[leaf].shape == PARAMS[leaf].shape
        np.testing.assert_allclose(
            -rates[leaf] * first(GRADIENTS[leaf]) - decay * PARAMS[leaf], moves[leaf], rtol=1e-12
        )


def test_it_changes_nothing_and_runs_under_jit():
    optimizer = ours.adabound(1e-2)
    state = optimizer.init(PARAMS)
    plain = effective_lr(state, GRADIENTS, PARAMS, optimizer=optimizer)
    fast = jax.jit(lambda *a: effective_lr(*a, optimizer=optimizer))(state, GRADIENTS, PARAMS)
    np.testing.assert_allclose(fast["w"], plain["w"], rtol=1e-12)
    assert int(state.count) == 0


def test_it_sees_what_stands_around_the_rule():
    """A clipped gradient, a schedule kept by `inject_hyperparams`, parts of a tree."""
    injected = optax.inject_hyperparams(ours.sgd)(optax.linear_schedule(1e-2, 0.0, 10))
    optimizer = optax.chain(optax.clip(0.1), injected)
    state = optimizer.init(PARAMS)
    _, state = optimizer.update(GRADIENTS, state, PARAMS)
    np.testing.assert_allclose(effective_lr(state, GRADIENTS, PARAMS, optimizer=optimizer)["w"], 9e-3, rtol=1e-6)
    clipped = optax.chain(optax.clip(0.1), ours.adagrad(1e-2, initial_accumulator_value=0.0, eps=0.0))
    rates = effective_lr(clipped.init(PARAMS), GRADIENTS, PARAMS, optimizer=clipped)
    np.testing.assert_allclose(rates["w"], 1e-2 / 0.1, rtol=1e-12)
    parts = optax.partition({"a": ours.sgd(0.5), "b": ours.sgd(0.25)}, {"w": "a", "b": None, "s": "b"})
    rates = effective_lr(parts.init(PARAMS), GRADIENTS, PARAMS, optimizer=parts)
    assert rates["w"].tolist() == [0.5] * 3
    assert float(rates["s"]) == 0.25
    masked = optax.masked(ours.sgd(0.5), {"w": True, "b": None, "s": False})
    rates = effective_lr(masked.init(PARAMS), GRADIENTS, PARAMS, optimizer=masked)
    assert rates["s"] == optax.MaskedNode()


def test_a_label_may_stand_for_a_whole_branch():
    params = {"a": {"x": jnp.ones(2), "y": jnp.ones(1)}, "b": {"z": jnp.ones(3)}}
    parts = optax.partition({"fast": ours.sgd(0.5), "slow": ours.sgd(0.25)}, {"a": "fast", "b": "slow"})
    rates = effective_lr(parts.init(params), params, params, optimizer=parts)
    assert jax.tree.map(lambda x: x.tolist(), rates) == {"a": {"x": [0.5] * 2, "y": [0.5]}, "b": {"z": [0.25] * 3}}
    masked = optax.masked(ours.sgd(0.5), {"a": True, "b": False})
    rates = effective_lr(masked.init(params), params, params, optimizer=masked)
    assert rates["b"] == {"z": optax.MaskedNode()}


def test_a_rule_under_a_condition_is_asked_by_itself():
    guarded = optax.apply_if_finite(ours.sgd(0.5), 3)
    state = guarded.init(PARAMS)
    with pytest.raises(UsageError, match=r"runs one of surefoot\.optax's under a condition"):
        effective_lr(state, GRADIENTS, PARAMS, optimizer=guarded)
    rates = effective_lr(state.inner_state, GRADIENTS, PARAMS, optimizer=ours.sgd(0.5))
    assert float(rates["s"]) == 0.5


def test_without_a_rule_or_with_two_it_says_so():
    theirs = optax.adam(1e-2)
    with pytest.raises(UsageError, match=r"none of surefoot\.optax's rules"):
        effective_lr(theirs.init(PARAMS), GRADIENTS, PARAMS, optimizer=theirs)
    both = optax.chain(ours.adam(1e-2), ours.sgd(1.0))
    with pytest.raises(UsageError, match="two rules"):
        effective_lr(both.init(PARAMS), GRADIENTS, PARAMS, optimizer=both)
