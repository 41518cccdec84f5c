"""What optax's users do with a transformation: combinators, schedules, trees of any kind, jax's transformations."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import surefoot.optax as ours  # noqa: E402
from optax_runs import compiled_run, tree_run  # noqa: E402
from settings import ANY_SHAPE  # noqa: E402
from surefoot.errors import UsageError  # noqa: E402
from surefoot.rule import WEIGHT, Slot, Step, rule  # noqa: E402

PARAMS = {
    "w": jnp.linspace(0.5, 1.5, 6).reshape(3, 2),
    "b": [jnp.zeros(2) + 0.25, None],
    "s": jnp.asarray(2.0, jnp.float64),
}
RNG = np.random.default_rng(0)
GRADIENTS = [jax.tree.map(lambda p: jnp.asarray(RNG.standard_normal(p.shape)), PARAMS) for _ in range(5)]
FEW_ULP = 64 * 2.0**-53


def close(a, b, tolerance=FEW_ULP):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=0)


def kinds(tree):
    return jax.tree.map(lambda x: (x.shape, x.dtype), tree)


@cache
def stepped(name):
    """Return a rule's optimizer, and its weights and state after all gradients, under one compilation."""
    optimizer = getattr(ours, name)(1e-2)
    return optimizer, *compiled_run(optimizer, PARAMS, GRADIENTS)


@pytest.mark.parametrize("name", ANY_SHAPE)
def test_state_keeps_its_kind_and_a_second_call_does_not_recompile(name):
    optimizer, weights, last = stepped(name)
    first = optimizer.init(PARAMS)
    moves, second = jax.eval_shape(optimizer.update, GRADIENTS[0], first, PARAMS)
    assert kinds(first) == kinds(second) == kinds(last)
    assert kinds(moves) == kinds(weights) == kinds(PARAMS)
    assert int(last.count) == len(GRADIENTS)


@pytest.mark.parametrize("name", ["adam", "adamw", "rmsprop", "adagrad", "amsgrad"])
def test_a_tree_with_gaps_is_updated_as_by_optax(name):
    close(
        tree_run(getattr(ours, name)(1e-2), PARAMS, GRADIENTS)[0],
        tree_run(getattr(optax, name)(1e-2), PARAMS, GRADIENTS)[0],
    )


def test_adam_minimizes_a_quadratic():
    params, state = jnp.asarray([3.0, -2.0]), None
    optimizer = ours.adabound(0.1)
    state = optimizer.init(params)
    for _ in range(300):
        moves, state = jax.jit(optimizer.update)(2 * params, state)
        params = params + moves
    assert np.abs(params).max() < 1e-2


@pytest.mark.parametrize("make", [ours.adabound, ours.adamw, lambda lr: ours.sgd(lr, momentum=0.9, nesterov=True)])
def test_a_schedule_is_called_with_the_count(make):
    """Constant schedules change nothing; optax's and ours agree on when a changing one is asked."""
    close(tree_run(make(lambda _: 1e-2), PARAMS, GRADIENTS)[0], tree_run(make(1e-2), PARAMS, GRADIENTS)[0])
    moving = optax.exponential_decay(1e-2, 1, 0.5)
    close(tree_run(ours.adam(moving), PARAMS, GRADIENTS)[0], tree_run(optax.adam(moving), PARAMS, GRADIENTS)[0])


def test_any_number_may_be_a_schedule():
    moving = ours.adamw(1e-2, b1=lambda _: 0.9, weight_decay=lambda count: jnp.where(count < 2, 0.1, 0.0))
    until = tree_run(ours.adamw(1e-2, weight_decay=0.1), PARAMS, GRADIENTS[:2])
    close(tree_run(moving, PARAMS, GRADIENTS[:2])[0], until[0])
    with_decay = tree_run(ours.adamw(1e-2, weight_decay=0.1), PARAMS, GRADIENTS)[0]
    assert not np.allclose(tree_run(moving, PARAMS, GRADIENTS)[0]["w"], with_decay["w"], rtol=1e-6)


@pytest.mark.parametrize("name", ANY_SHAPE)
def test_inject_hyperparams(name):
    """The same steps; and a hyperparameter changed in the state is used from then on."""
    factory, (_, expected, _) = getattr(ours, name), stepped(name)
    injected = optax.inject_hyperparams(factory)(1e-2)
    params, state = tree_run(injected, PARAMS, GRADIENTS)
    close(params, expected, 1e-10)
    state.hyperparams["learning_rate"] = jnp.asarray(0.002)
    moves, _ = injected.update(GRADIENTS[0], state, params)
    slower, as_before = (factory(lr).update(GRADIENTS[0], state.inner_state, params)[0] for lr in (0.002, 1e-2))
    close(moves, slower, 1e-10)
    assert not np.allclose(moves["w"], as_before["w"], rtol=1e-3, atol=0)


def test_injected_switches_and_options_stay_what_they_are():
    options = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}
    injected = optax.inject_hyperparams(ours.sgd)(optax.constant_schedule(1e-2), **options)
    params, state = tree_run(injected, PARAMS, GRADIENTS)
    close(params, tree_run(ours.sgd(1e-2, **options), PARAMS, GRADIENTS)[0])
    assert sorted(state.hyperparams) == ["learning_rate", "momentum", "weight_decay"]


def test_injected_conventions_bring_their_own_defaults():
    injected = optax.inject_hyperparams(ours.adam.by("keras"))(1e-2)
    params, state = tree_run(injected, PARAMS, GRADIENTS)
    assert float(state.hyperparams["eps"]) == 1e-7
    close(params, tree_run(ours.adam(1e-2, convention="keras"), PARAMS, GRADIENTS)[0], 1e-10)
    with pytest.raises(UsageError, match=r"inject_hyperparams\(adam.by\('keras'\)\)"):
        optax.inject_hyperparams(ours.adam)(1e-2, convention="keras").init(PARAMS)


def test_hyperparameters_never_are_in_half_precision():
    half = {"w": jnp.ones(2, jnp.bfloat16)}
    with pytest.raises(UsageError, match=r"hyperparam_dtype=jnp\.float32"):
        optax.inject_hyperparams(ours.adam)(1e-2, key=jax.random.key(0)).init(half)
    optax.inject_hyperparams(ours.adam, hyperparam_dtype=jnp.float32)(1e-2, key=jax.random.key(0)).init(half)


def test_chain_masked_and_partition():
    clipped = optax.chain(optax.clip_by_global_norm(0.5), ours.adam(1e-2))
    theirs = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(1e-2))
    close(tree_run(clipped, PARAMS, GRADIENTS)[0], tree_run(theirs, PARAMS, GRADIENTS)[0])
    labels = {"w": "adam", "b": ["sgd", None], "s": "sgd"}
    parts = {"adam": ours.adam(1e-2), "sgd": ours.sgd(0.1, momentum=0.9)}
    others = {"adam": optax.adam(1e-2), "sgd": optax.sgd(0.1, momentum=0.9)}
    close(
        tree_run(optax.partition(parts, labels), PARAMS, GRADIENTS)[0],
        tree_run(optax.partition(others, labels), PARAMS, GRADIENTS)[0],
    )
    where = {"w": True, "b": [False, None], "s": False}
    close(
        tree_run(optax.masked(ours.adam(1e-2), where), PARAMS, GRADIENTS)[0],
        tree_run(optax.masked(optax.adam(1e-2), where), PARAMS, GRADIENTS)[0],
    )


MASKS = [
    {"w": True, "b": [False, None], "s": False},
    {"w": True, "b": False, "s": False},
    lambda params: jax.tree.map(lambda p: p.ndim > 1, params),
]


@pytest.mark.parametrize(
    ("mask", "words"), [(3, "mask has 3 where True or False"), ({"no": True}, "mask is no tree of the weights")]
)
def test_a_mask_that_is_none_is_refused(mask, words):
    made = ours.adamw(1e-2, mask=mask)
    with pytest.raises(UsageError, match=words):
        made.update(GRADIENTS[0], made.init(PARAMS), PARAMS)


def test_the_state_of_another_is_refused():
    with pytest.raises(UsageError, match="adam: the state is a tuple; give what `init`"):
        ours.adam(1e-2).update(GRADIENTS[0], optax.adam(1e-2).init(PARAMS), PARAMS)


@pytest.mark.parametrize("mask", MASKS, ids=["tree", "prefix", "function"])
def test_a_mask_says_what_decays(mask):
    made = tree_run(ours.adamw(1e-2, weight_decay=0.1, mask=mask), PARAMS, GRADIENTS)[0]
    close(made, tree_run(optax.adamw(1e-2, weight_decay=0.1, mask=mask), PARAMS, GRADIENTS)[0])
    assert not np.allclose(
        made["s"], tree_run(ours.adamw(1e-2, weight_decay=0.1), PARAMS, GRADIENTS)[0]["s"], rtol=1e-6
    )


@pytest.mark.parametrize("params", [{}, (), [None, {}]])
def test_empty_trees(params):
    optimizer = ours.adamw(1e-2)
    moves, state = optimizer.update(params, optimizer.init(params), params)
    assert moves == params
    assert int(state.count) == 1


def test_a_gradient_left_out_leaves_weight_and_state_alone():
    optimizer = ours.adam(1e-2)
    state = optimizer.init(PARAMS)
    moves, after = optimizer.update({**GRADIENTS[0], "s": None}, state, PARAMS)
    assert moves["s"] is None
    assert after.slots["m"]["s"] is state.slots["m"]["s"]
    assert moves["w"].any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_kind_of_number_keeps_its_kind_and_halves_keep_state_in_float32(dtype):
    params = {"w": jnp.ones((2, 0, 3), dtype), "v": jnp.ones((), dtype)}
    optimizer = ours.adamw(optax.constant_schedule(1e-2), key=jax.random.key(0))
    moved, state = tree_run(optimizer, params, [jax.tree.map(lambda p: 0.5 * p, params)] * 2)
    assert {leaf.dtype for leaf in jax.tree.leaves(moved)} == {jnp.dtype(dtype)}
    kept = "float64" if dtype == "float64" else "float32"
    assert {leaf.dtype for leaf in jax.tree.leaves(state.slots)} == {jnp.dtype(kept)}
    assert float(moved["v"]) < 1


def test_float32_is_as_exact_without_float64():
    """1 - 0.999 in float32 is wrong by 1e-5, and with it optax's first step; ours is not."""
    with jax.enable_x64(False):
        first = {}
        for name, library in {"ours": ours, "optax": optax}.items():
            optimizer = library.adam(0.01)
            move, _ = jax.jit(optimizer.update)(jnp.full(1, 0.3), optimizer.init(jnp.zeros(1)))
            assert move.dtype == jnp.float32
            first[name] = abs(float(move[0]) / (-0.01 * 0.3 / (0.3 + 1e-8)) - 1)
    assert first["ours"] < 8 * 2.0**-24 < first["optax"]


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_complex_weights_may_also_be_two_real_ones(name):
    params = jnp.asarray([1 + 1j, 2 - 1j])
    wrapped = optax.contrib.split_real_and_imaginary(getattr(ours, name)(1e-2))
    moves, _ = wrapped.update(params, wrapped.init(params), params)
    assert moves.dtype == params.dtype
    assert (moves.imag != 0).all()


def test_weights_are_asked_for_where_they_are_needed():
    optimizer = ours.adamw(1e-2)
    with pytest.raises(UsageError, match="give params"):
        optimizer.update(GRADIENTS[0], optimizer.init(PARAMS))
    optimizer = ours.adam(1e-2)
    moves, _ = optimizer.update(GRADIENTS[0], optimizer.init(PARAMS))
    assert moves["w"].any()


def test_vmap_over_models_and_learning_rates():
    rates = jnp.asarray([1e-3, 1e-2, 1e-1])

    def train(rate):
        optimizer = ours.adabound(rate)
        state = optimizer.init(PARAMS["w"])
        moves, _ = optimizer.update(GRADIENTS[0]["w"], state)
        return moves

    together = jax.jit(jax.vmap(train))(rates)
    for rate, moves in zip(rates, together, strict=True):
        np.testing.assert_allclose(moves, train(float(rate)), rtol=1e-12)


def test_gradient_through_the_update():
    """The derivative of the weight after two steps by the learning rate and by a gradient, against differences."""

    def last(rate, shift):
        optimizer = ours.adam(rate)
        state, weight = optimizer.init(jnp.ones(2)), jnp.ones(2)
        for k in range(2):
            moves, state = optimizer.update(jnp.asarray([0.3, -0.2]) * (k + 1) + shift, state, weight)
            weight = weight + moves
        return weight[0] + 2 * weight[1]

    found = jax.grad(last, (0, 1))(0.1, 0.05)
    h = 1e-6
    wanted = (
        (last(0.1 + h, 0.05) - last(0.1 - h, 0.05)) / (2 * h),
        (last(0.1, 0.05 + h) - last(0.1, 0.05 - h)) / (2 * h),
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-7)


@rule(slots=(Slot("z", start=WEIGHT), Slot("b", when="momentum")), source="this test")
def anchored(g, state, t, *, lr=0.1, momentum=0.0):
    """Move, and remember where the weight began."""
    from surefoot.mathops import sqrt, total

    b = momentum * state.b + g if momentum else None
    direction = g if b is None else b
    return Step(rate=lr / sqrt(t) / sqrt(total(g * g)), direction=direction, z=state.z, b=b)


def test_a_rule_of_ones_own():
    make = ours.factory(anchored)
    params, state = tree_run(make(0.1, momentum=0.5), PARAMS, GRADIENTS)
    np.testing.assert_array_equal(state.slots["z"]["w"], PARAMS["w"])
    close(tree_run(optax.inject_hyperparams(make)(0.1, momentum=0.5), PARAMS, GRADIENTS)[0], params, 1e-12)
    moves, _ = make(0.1).update(GRADIENTS[0], make(0.1).init(PARAMS))
    norm = np.linalg.norm(GRADIENTS[0]["w"])
    np.testing.assert_allclose(moves["w"], -0.1 * GRADIENTS[0]["w"] / norm, rtol=1e-12)
    with jax.enable_x64(False), warnings.catch_warnings():
        warnings.simplefilter("error")
        small = jnp.ones(3, jnp.float32)
        assert make(0.1).update(small, make(0.1).init(small))[0].dtype == jnp.float32
