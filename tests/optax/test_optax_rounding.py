"""bfloat16 weights: steps that round to nothing add up under random rounding with a key."""

from __future__ import annotations

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import surefoot.optax as ours  # noqa: E402
from surefoot.errors import SurefootWarning  # noqa: E402
from surefoot.optax.leaves import rounded_change, stochastic  # noqa: E402

KEY = jax.random.key(0)
MANY = 1 << 16


def train(optimizer, weight, steps=100):
    """Return the weights after steps along a gradient of 1."""

    def step(carry, _):
        weight, state = carry
        moves, state = optimizer.update(jnp.ones_like(weight), state, weight)
        return (optax.apply_updates(weight, moves), state), None

    (weight, state), _ = jax.jit(lambda c: jax.lax.scan(step, c, length=steps))((weight, optimizer.init(weight)))
    assert weight.dtype == jnp.bfloat16
    return np.asarray(weight, np.float64), state


@pytest.mark.parametrize("name", ["adam", "adamw", "adabound", "rmsprop", "momentum", "sgd"])
def test_small_steps_add_up(name):
    """To what float32 weights do, but for the mean error of rounding many weights."""
    optimizer = getattr(ours, name)(1e-4, key=KEY)
    half, _ = train(optimizer, jnp.ones(MANY, jnp.bfloat16))
    state, weight = optimizer.init(jnp.ones(())), jnp.ones(())
    for _ in range(100):
        moves, state = jax.jit(optimizer.update)(jnp.ones(()), state, weight)
        weight = weight + moves
    way = 1 - float(weight)
    assert way > 1e-3
    # Below 1 bfloat16 numbers are 2^-8 apart, so a rounding's standard deviation is at most half of that.
    assert abs(half.mean() - float(weight)) < 5 * 2**-9 * np.sqrt(100 / MANY)


def test_without_a_key_they_stand_still_and_a_warning_says_so():
    weight = jnp.ones(8, jnp.bfloat16)
    with pytest.warns(SurefootWarning, match="key="):
        after, _ = train(ours.adam(1e-4), weight)
    assert (after == 1).all()
    assert (train(optax.adam(1e-4), weight)[0] == 1).all()


def test_the_sum_lands_on_a_neighbour_with_the_odds_of_its_distance():
    weight = jnp.full(100_000, 1.0, jnp.bfloat16)
    moves = rounded_change(jnp.full(100_000, -1e-3), weight, KEY)
    assert moves.dtype == jnp.bfloat16
    landed = np.asarray(optax.apply_updates(weight, moves), np.float64)
    assert set(landed) == {1.0, 1 - 2**-8}
    odds = 1e-3 / 2**-8
    assert abs((landed < 1).mean() - odds) < 5 * np.sqrt(odds * (1 - odds) / 100_000)


@pytest.mark.parametrize("jit", [False, True])
def test_any_sum_lands_beside_where_it_should(jit):
    """On one of the two neighbours, or where a step is as large as the weight, off by one more rounding of it."""
    rng = np.random.default_rng(1)
    weight = jnp.asarray(rng.standard_normal(MANY) * 10 ** rng.uniform(-3, 3, MANY), jnp.bfloat16)
    before = np.asarray(weight, np.float64)
    change = (before * rng.choice([-1, 1], MANY) * 10 ** rng.uniform(-5, 1, MANY)).astype(np.float32)

    def land(weight, change):
        return optax.apply_updates(weight, rounded_change(change, weight, KEY))

    landed = np.asarray((jax.jit(land) if jit else land)(weight, change), np.float64)
    wanted = before + change
    apart = np.abs(landed - wanted)
    usual = (wanted / before > 0.51) & (wanted / before < 1.98)
    assert usual.mean() > 0.5
    assert (apart <= last_place(wanted) * 1.001)[usual].all()
    assert (apart <= last_place(wanted) + last_place(np.maximum(np.abs(before), np.abs(change)))).all()
    nearest = np.asarray(jnp.asarray(wanted, jnp.bfloat16), np.float64)
    assert (landed != nearest).mean() > 0.2


def last_place(x):
    """Return the distance of a number's neighbours in bfloat16."""
    return 2.0 ** (np.floor(np.log2(np.abs(x))) - 7)


def test_what_is_exact_or_not_finite_stays():
    x = jnp.asarray([1.0, -0.15625, 0.0, np.inf, -np.inf, np.nan, 2.0**-130], jnp.float32)
    np.testing.assert_array_equal(stochastic(x, KEY)[:6], x[:6])


def test_the_key_decides_and_travels_with_the_state():
    weight = jnp.ones(256, jnp.bfloat16)
    first, state = train(ours.adam(1e-4, key=KEY), weight)
    again, _ = train(ours.adam(1e-4, key=KEY), weight)
    other, _ = train(ours.adam(1e-4, key=jax.random.key(1)), weight)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (jax.random.key_data(state.key) == jax.random.key_data(KEY)).all()
    old_style, _ = train(ours.adam(1e-4, key=jax.random.PRNGKey(0)), weight)
    np.testing.assert_array_equal(first, old_style)


def test_leaves_and_steps_have_bits_of_their_own():
    params = {"a": jnp.ones(256, jnp.bfloat16), "b": jnp.ones(256, jnp.bfloat16)}
    optimizer = ours.sgd(1e-3, key=KEY)
    gradients = jax.tree.map(jnp.ones_like, params)
    moves, state = optimizer.update(gradients, optimizer.init(params), params)
    later, _ = optimizer.update(gradients, state, params)
    assert (moves["a"] != moves["b"]).any()
    assert (moves["a"] != later["a"]).any()


def test_derivatives_pass_through_rounding():
    def loss(rate):
        weight = jnp.ones(4, jnp.bfloat16)
        optimizer = ours.sgd(rate, key=KEY)
        moves, _ = optimizer.update(weight, optimizer.init(weight), weight)
        return moves.astype(jnp.float32).sum()

    assert float(jax.grad(loss)(1e-2)) == -4.0
