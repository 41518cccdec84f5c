"""Rules for matrices under optax: which matrix a leaf is, what is kept beside it, and Muon as optax.contrib has it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import surefoot.optax as built_in  # noqa: E402
from optax_runs import adafactor_in_all_digits  # noqa: E402
from surefoot.errors import UsageError  # noqa: E402
from surefoot.mathops import cols, mean, rows, sqrt  # noqa: E402
from surefoot.optax import adamw, effective_lr, evaluation_params, factory  # noqa: E402
from surefoot.rule import Cols, Left, Number, Right, Rows, Step, rule, slot_shape  # noqa: E402
from surefoot.rules import adamw as adamw_rule  # noqa: E402
from surefoot.rules import schedule_free  # noqa: E402
from surefoot.rules.muon import muon as muon_rule  # noqa: E402
from surefoot.update import update  # noqa: E402

muon = factory(muon_rule)
AS_OPTAX = {"eps": 1e-8, "bias_correction": True, "buffer_mean": True, "scale": "original"}
SHAPES = {"wide": (4, 9), "tall": (9, 4), "square": (5, 5), "row": (1, 7), "column": (7, 1)}


def randoms(seed, shapes, dtype=jnp.float64):
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.normal(size=shape), dtype) for name, shape in shapes.items()}


def run(optimizer, shapes, steps=20, scale=1.0):
    params = randoms(0, shapes)
    state, step = optimizer.init(params), jax.jit(optimizer.update)
    for t in range(1, steps + 1):
        gradients = jax.tree.map(lambda g: scale * g, randoms(t, shapes))
        changes, state = step(gradients, state, params)
        params = optax.apply_updates(params, changes)
    return params


def check_near(ours, theirs, bound):
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=bound * abs(value).max(), err_msg=name)


@pytest.mark.parametrize(("decay", "nesterov"), [(0.0, True), (0.1, False)])
def test_muon_is_optaxs(decay, nesterov):
    theirs = optax.contrib.muon(0.02, weight_decay=decay, nesterov=nesterov)
    ours = muon(0.02, weight_decay=decay or None, nesterov=nesterov, **AS_OPTAX)
    for scale in (1.0, 1e-4, 1e-8):
        check_near(run(ours, SHAPES, scale=scale), run(theirs, SHAPES, scale=scale), 1e-12)


def test_muon_is_optaxs_by_default():
    theirs, ours = optax.contrib.muon(0.02, weight_decay=0.1), built_in.muon(0.02, weight_decay=0.1)
    check_near(run(ours, SHAPES), run(theirs, SHAPES), 1e-12)


def test_muon_is_optaxs_with_one_length_for_all_shapes():
    theirs = optax.contrib.muon(0.02, consistent_rms=0.2)
    check_near(run(muon(0.02, **{**AS_OPTAX, "scale": "rms"}), SHAPES), run(theirs, SHAPES), 1e-12)


def test_adafactor_is_optaxs_where_it_factors():
    """Sides of 128 and more; optax keeps all mean squares of a matrix with a smaller one."""
    shapes = {"wide": (128, 140), "tall": (140, 128)}
    with adafactor_in_all_digits():
        theirs = optax.adafactor(0.02, weight_decay_rate=0.01)
    check_near(run(built_in.adafactor(0.02, weight_decay_rate=0.01), shapes, 5), run(theirs, shapes, 5), 1e-12)


@pytest.mark.parametrize("rates", [(), (None,)])
def test_adafactor_without_a_rate_is_optaxs(rates):
    shapes = {"wide": (128, 140)}
    with adafactor_in_all_digits():
        theirs = optax.adafactor(*rates)
    check_near(run(built_in.adafactor(*rates), shapes, 3, 1e-3), run(theirs, shapes, 3, 1e-3), 1e-12)


def test_a_convolution_is_outputs_by_all_the_rest():
    shapes = {"kernel": (3, 2, 5, 6)}
    numbers = optax.contrib.MuonDimensionNumbers(reduction_axis=(0, 1, 2), output_axis=3)
    theirs = optax.contrib.muon(0.02, muon_weight_dimension_numbers={"kernel": numbers})
    check_near(run(muon(0.02, **AS_OPTAX), shapes), run(theirs, shapes), 1e-12)


def test_the_layout_is_said_and_not_read_off():
    """A square kernel does not tell; the scale of a tall one does."""
    params, gradients = randoms(0, SHAPES), randoms(1, SHAPES)
    turned = partial(jax.tree.map, jnp.transpose)
    theirs, ours = muon(0.02, **AS_OPTAX), muon(0.02, layout="out_in", **AS_OPTAX)
    expected, _ = theirs.update(gradients, theirs.init(params), params)
    made, _ = ours.update(turned(gradients), ours.init(turned(params)), turned(params))
    check_near(turned(made), expected, 1e-12)
    asked, _ = ours.update(gradients, ours.init(params), params)
    np.testing.assert_allclose(asked["wide"] * np.sqrt(9 / 4), expected["wide"], rtol=1e-9)


def test_an_unknown_layout():
    with pytest.raises(UsageError, match=r"unknown layout 'out_inn'\. Did you mean 'out_in'"):
        muon(0.02, layout="out_inn")


def test_a_leaf_that_is_no_matrix_is_refused_by_its_path():
    with pytest.raises(UsageError, match=r"muon steps matrices, and the leaf \['dense'\]\['bias'\] has shape \(3,\).*"):
        muon(0.02).init({"dense": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}})


def test_a_partition_gives_the_rest_another_rule():
    params = {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}
    both = optax.partition({"matrix": muon(0.02), "other": adamw(1e-3)}, {"kernel": "matrix", "bias": "other"})
    changes, _ = jax.jit(both.update)(jax.tree.map(jnp.ones_like, params), both.init(params), params)
    alone = muon(0.02)
    expected, _ = alone.update(jnp.ones((2, 3)), alone.init(params["kernel"]), params["kernel"])
    np.testing.assert_allclose(changes["kernel"], expected, rtol=1e-12)
    assert (changes["bias"] < 0).all()


@rule(
    slots=("m", Rows("v"), Cols("c"), Left("a"), Right("b"), Number("n", start=1.0)),
    source="this test",
    shape="matrix",
    vector=adamw_rule,
)
def every_slot(g, state, _t, *, lr=0.1, beta1=0.9, eps=1e-3):
    """One slot of each shape, none of them symmetric."""
    m = beta1 * state.m + g
    v = state.v + mean(m * m, axis=1)
    c = state.c + mean(g, axis=0)
    a, b = state.a + g @ m.T, state.b + m.T @ g
    n = state.n * rows(g) / cols(g)
    return Step(rate=lr / (sqrt(v) + eps), direction=a @ g @ b.T + c + n, m=m, v=v, c=c, a=a, b=b, n=n)


def matrix_of(x):
    return np.moveaxis(np.asarray(x), -1, 0).reshape(x.shape[-1], -1)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (1, 1), (2, 3, 4, 5)])
def test_slots_of_other_shapes_are_the_rules_on_numpy(shape):
    optimizer, hyper = factory(every_slot)(0.1, weight_decay=0.1), every_slot.complete({"weight_decay": 0.1})
    params = jnp.asarray(np.random.default_rng(0).normal(size=shape))
    state = optimizer.init(params)
    expected, high, wide = matrix_of(params), shape[-1], int(np.prod(shape[:-1]))
    shapes = {"m": (high, wide), "v": (high, 1), "c": (1, wide), "a": (high, high), "b": (wide, wide), "n": ()}
    kept = {slot: np.full(size, float(slot == "n")) for slot, size in shapes.items()}
    assert {slot: state.slots[slot].shape for slot in kept} == {**shapes, "m": shape}
    for t in range(1, 4):
        gradient = jnp.asarray(np.random.default_rng(t).normal(size=shape))
        expected, kept, _ = update(every_slot, expected, matrix_of(gradient), kept, t, hyper)
        change, state = jax.jit(optimizer.update)(gradient, state, params)
        params = params + change
        np.testing.assert_allclose(matrix_of(params), expected, rtol=1e-11)
        for slot, value in kept.items():
            got = matrix_of(state.slots[slot]) if slot == "m" else state.slots[slot]
            np.testing.assert_allclose(got, value, rtol=1e-11, err_msg=slot)


def test_what_is_no_matrix_its_rule_for_vectors_steps():
    params = {"kernel": jnp.ones((2, 3)), "bias": jnp.arange(3.0), "gain": jnp.ones(())}
    gradients = jax.tree.map(lambda x: x + 1, params)
    optimizer, other = factory(every_slot)(0.1, weight_decay=0.1), adamw(0.1, eps=1e-3, weight_decay=0.1)
    state = optimizer.init(params)
    changes, state = jax.jit(optimizer.update)(gradients, state, params)
    changes, state = jax.jit(optimizer.update)(gradients, state, optax.apply_updates(params, changes))
    rest = {name: params[name] for name in ("bias", "gain")}
    given = {name: gradients[name] for name in rest}
    expected, kept = other.update(given, other.init(rest), rest)
    expected, kept = other.update(given, kept, optax.apply_updates(rest, expected))
    for name in rest:
        np.testing.assert_allclose(changes[name], expected[name], rtol=1e-12)
        np.testing.assert_allclose(state.slots["m"][name], kept.slots["m"][name], rtol=1e-12)
    assert state.slots["v"]["kernel"].shape == (3, 1)
    assert state.slots["a"]["bias"] is None
    assert state.slots["v"]["bias"].shape == (3,)


def test_rates_are_those_of_the_weights():
    params = {"kernel": jnp.ones((2, 3))}
    gradients = {"kernel": jnp.asarray([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])}
    optimizer = factory(every_slot)(0.1)
    rates = effective_lr(optimizer.init(params), gradients, params, optimizer=optimizer)["kernel"]
    np.testing.assert_allclose(rates, np.broadcast_to(0.1 / (np.array([1.0, 2.0, 3.0]) + 1e-3), (2, 3)))


def test_a_state_of_other_weights_is_refused():
    optimizer = factory(every_slot)(0.1)
    state = optimizer.init(jnp.ones((2, 3)))
    other = state._replace(slots={**state.slots, "v": jnp.ones((2, 1))})
    with pytest.raises(UsageError, match=r"v has shape \(2, 1\), where shape \(3, 1\) is expected; give the state"):
        optimizer.update(jnp.ones((2, 3)), other, jnp.ones((2, 3)))


def test_a_zero_matrix_rests():
    params, optimizer = jnp.ones((3, 4)), muon(0.02)
    change, _ = optimizer.update(jnp.zeros((3, 4)), optimizer.init(params), params)
    np.testing.assert_array_equal(change, 0)


def test_no_weights_at_all():
    params, optimizer = jnp.ones((0, 4)), muon(0.02)
    change, _ = optimizer.update(params, optimizer.init(params), params)
    assert change.shape == (0, 4)


@pytest.mark.filterwarnings("ignore:weights in bfloat16")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_fewer_bits_are_computed_in_float32(dtype):
    shapes = {"w": (6, 9)}
    params, gradients, optimizer = randoms(0, shapes, dtype), randoms(1, shapes, dtype), muon(0.02)
    change, state = jax.jit(optimizer.update)(gradients, optimizer.init(params), params)
    wide = jax.tree.map(lambda x: x.astype(jnp.float64), (params, gradients))
    expected, _ = optimizer.update(wide[1], optimizer.init(wide[0]), wide[0])
    assert change["w"].dtype == dtype
    assert state.slots["m"]["w"].dtype == jnp.float32
    bound = 1e-5 if dtype == jnp.float32 else 2.0**-8
    check_near(jax.tree.map(lambda x: x.astype(jnp.float64), change), expected, bound)


def test_schedules_and_injected_numbers_reach_the_matrix():
    params, gradients = jnp.ones((2, 3)), jnp.asarray(np.random.default_rng(0).normal(size=(2, 3)))
    plain, late = muon(0.01), muon(lambda count: 0.01 * (count + 1), eps=jnp.asarray(1e-8), momentum=jnp.asarray(0.95))
    expected, _ = plain.update(gradients, plain.init(params), params)
    made, _ = late.update(gradients, late.init(params), params)
    np.testing.assert_allclose(made, expected, rtol=1e-12)
    injected = optax.inject_hyperparams(muon)(0.01)
    made, _ = jax.jit(injected.update)(gradients, injected.init(params), params)
    np.testing.assert_allclose(made, expected, rtol=1e-12)


BLOCKS = [(3, (2, 2, 2), (4, 6)), ((1, 3, 2), (1, 3, 2), (2, 3, 6)), ([6], (6,), (4, 6))]


@pytest.mark.parametrize(("blocks", "heights", "shape"), BLOCKS, ids=str)
def test_each_block_is_a_matrix_by_itself(blocks, heights, shape):
    """The rule on NumPy, block by block; beside them a matrix that is one."""
    optimizer = factory(every_slot)(0.1, weight_decay=0.1, blocks={"*.qkv": blocks})
    hyper, cuts = every_slot.complete({"weight_decay": 0.1}), np.cumsum(heights)[:-1]
    shapes = {"qkv": shape, "plain": (4, 6)}
    params = {"layer": randoms(0, shapes)}
    expected = [*np.split(matrix_of(params["layer"]["qkv"]), cuts), matrix_of(params["layer"]["plain"])]
    kept = [
        {slot: np.full(slot_shape(per, x.shape), float(slot == "n")) for slot, per in PER.items()} for x in expected
    ]
    state, asked = optimizer.init(params), jax.jit(partial(effective_lr, optimizer=optimizer))
    for t in range(1, 4):
        gradients = {"layer": randoms(t, shapes)}
        parts = [*np.split(matrix_of(gradients["layer"]["qkv"]), cuts), matrix_of(gradients["layer"]["plain"])]
        made = [update(every_slot, *each, t, hyper) for each in zip(expected, parts, kept, strict=True)]
        expected, kept = [one.weight for one in made], [one.state for one in made]
        rates = asked(state, gradients, params)["layer"]["qkv"]
        change, state = jax.jit(optimizer.update)(gradients, state, params)
        params = optax.apply_updates(params, change)
        rows_ = [np.broadcast_to(one.step.rate, one.weight.shape) for one in made[:-1]]
        np.testing.assert_allclose(matrix_of(rates), np.concatenate(rows_), rtol=1e-11)
    np.testing.assert_allclose(matrix_of(params["layer"]["qkv"]), np.concatenate(expected[:-1]), rtol=1e-11)
    np.testing.assert_allclose(matrix_of(params["layer"]["plain"]), expected[-1], rtol=1e-11)
    np.testing.assert_allclose(np.ravel(state.slots["n"]["layer"]["qkv"]), [one["n"] for one in kept[:-1]])
    np.testing.assert_allclose(state.slots["a"]["layer"]["qkv"][: heights[0], : heights[0]], kept[0]["a"])


PER = {slot.name: slot.per for slot in every_slot.slots}


def test_blocks_are_evaluated_each_with_its_own_numbers():
    whole, parts = (factory(schedule_free(muon_rule)) for _ in range(2))
    whole, parts = whole(0.1, blocks={"w": 2}), parts(0.1)
    w = randoms(0, {"w": (3, 4)})
    halves = {"a": w["w"][:, :2], "b": w["w"][:, 2:]}
    states = whole.init(w), parts.init(halves)
    for t in range(1, 4):
        g = randoms(t, {"w": (3, 4)})
        change, one = whole.update(g, states[0], w)
        w = optax.apply_updates(w, change)
        change, two = parts.update({"a": g["w"][:, :2], "b": g["w"][:, 2:]}, states[1], halves)
        halves, states = optax.apply_updates(halves, change), (one, two)
    got = evaluation_params(states[0], w, optimizer=whole)["w"]
    expected = evaluation_params(states[1], halves, optimizer=parts)
    np.testing.assert_allclose(got, jnp.concatenate([expected["a"], expected["b"]], 1), rtol=1e-12)
    assert abs(got - w["w"]).max() > 1e-3


def test_blocks_lie_where_the_outputs_are():
    params, gradients = randoms(0, {"w": (6, 4)}), randoms(1, {"w": (6, 4)})
    made = muon(0.02, layout="out_in", blocks={"w": 3})
    change, _ = made.update(gradients, made.init(params), params)
    turned, alone = jax.tree.map(jnp.transpose, (params, gradients)), muon(0.02, blocks={"w": 3})
    expected, _ = alone.update(turned[1], alone.init(turned[0]), turned[0])
    np.testing.assert_allclose(change["w"], expected["w"].T, rtol=1e-12)


def test_a_step_of_fewer_leaves_needs_not_those_of_blocks():
    params, made = randoms(0, {"a": (4, 6), "b": (4, 6)}), muon(0.02, blocks={"a": 2})
    change, _ = made.update({"a": None, "b": params["b"]}, made.init(params), params)
    assert change["a"] is None


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ({"qvk": 3}, r"unknown parameter in blocks 'qvk'\. Did you mean 'qkv'"),
        ({"qkv": 4}, r"blocks=4 does not fit qkv of shape \[4, 6\]: give a number that divides its 6 outputs"),
        ({"qkv": (3, 9)}, r"blocks=\(3, 9\) does not fit qkv"),
        ({"bias": 3}, "blocks are given of bias, which adamw steps, not as a matrix"),
        (3, "blocks=3 names no parameters"),
    ],
)
def test_blocks_that_cannot_be_are_refused(blocks, words):
    params = {"qkv": jnp.ones((4, 6)), "bias": jnp.ones(6)}
    with pytest.raises(UsageError, match=words):
        factory(every_slot)(0.1, blocks=blocks).init(params)
