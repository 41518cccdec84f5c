"""Rules that keep numbers, sum over all tensors or end with other weights, as optax transformations."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import surefoot.optax as ours  # noqa: E402
from cases import TOLERANCE  # noqa: E402
from surefoot import rules  # noqa: E402
from surefoot.bundle import Bundle  # noqa: E402
from surefoot.errors import UsageError  # noqa: E402
from surefoot.optax import evaluation_params  # noqa: E402
from surefoot.rule import Number, Step, rule  # noqa: E402
from together import Reference, counting, distant, evaluating  # noqa: E402

NEW = [counting, distant, evaluating, rules.lookahead(rules.adam), rules.cautious(rules.adamw)]
NEW += [rules.lookahead(counting), rules.lookahead(distant), rules.cautious(distant)]
PARAMS = {"b": [jnp.asarray([0.25, -0.5]), None], "s": jnp.asarray(2.0), "w": jnp.linspace(0.5, 1.5, 6).reshape(3, 2)}
FEW = [counting, rules.lookahead(distant), rules.cautious(rules.adamw)]
each = pytest.mark.parametrize("rule", NEW, ids=lambda rule: rule.name)
some = pytest.mark.parametrize("rule", FEW, ids=lambda rule: rule.name)


def rows(steps, params=PARAMS):
    """Return gradients in one tree, a row a step; the first is zero."""
    rng = np.random.default_rng(7)
    return jax.tree.map(lambda p: jnp.asarray(rng.standard_normal((steps, *p.shape)), p.dtype).at[0].set(0.0), params)


def row(stacked, i):
    return jax.tree.map(lambda x: x[i], stacked)


def scanned(optimizer, params, gradients):
    """Return the weights after each step and the last state: one compiled scan."""

    def step(carry, gradient):
        weights, state = carry
        moves, state = optimizer.update(gradient, state, weights)
        weights = optax.apply_updates(weights, moves)
        return (weights, state), weights

    (_, state), path = jax.jit(lambda p, g: jax.lax.scan(step, (p, optimizer.init(p)), g))(params, gradients)
    return path, state


def on_numpy(rule, params, gradients, **hyper):
    """Return the rule on NumPy after all of the gradients, and the weights after each."""
    reference = Reference(rule, [np.asarray(p) for p in jax.tree.leaves(params)], hyper)
    path = []
    leaves = [np.asarray(x) for x in jax.tree.leaves(gradients)]
    for i in range(len(leaves[0])):
        reference.step([x[i] for x in leaves])
        path.append(reference.weights)
    return reference, path


def line(tree):
    return np.concatenate([np.reshape(x, (len(x), -1)) for x in jax.tree.leaves(tree)], axis=1)


def error(path, expected):
    """Return the largest difference over the largest distance from the start, of any step after the first, of zeros."""
    wanted = np.array([np.concatenate([np.ravel(x) for x in weights]) for weights in expected])
    way = np.abs(wanted - np.concatenate([np.ravel(x) for x in jax.tree.leaves(PARAMS)])).max(axis=1)
    return (np.abs(line(path) - wanted).max(axis=1)[1:] / way[1:]).max()


def close(a, b, rtol=1e-12):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol), a, b)


@each
def test_a_tree_equals_the_rule_on_numpy(rule):
    """Three hundred steps from a gradient of zeros, without decay and with it, one learning rate and another."""
    gradients = rows(300)
    for options in ({"lr": 0.01, "weight_decay": 0.0}, {"lr": 0.03, "weight_decay": 0.01}):
        path, state = scanned(ours.factory(rule)(**options), PARAMS, gradients)
        reference, expected = on_numpy(rule, PARAMS, gradients, **options)
        assert error(path, expected) < TOLERANCE, options
        for slot, number in reference.shared.items():
            np.testing.assert_allclose(state.shared[slot], number, rtol=TOLERANCE)


@each
def test_numbers_are_single_and_wide_whatever_the_weights_are(rule):
    """One of shape () for each leaf or for all, under its name; a step changes neither shape nor kind."""
    numbers = rule.numbers({}) - rule.shared
    for wide in (True, False):
        with jax.enable_x64(wide):
            params = jax.tree.map(lambda p: p.astype(jnp.bfloat16), PARAMS)
            optimizer = ours.factory(rule)(0.01, key=jax.random.key(0))
            first = optimizer.init(params)
            _, after = jax.eval_shape(optimizer.update, params, first, params)
            kind = jnp.dtype("float64" if wide else "float32")
            assert first.shared.keys() == rule.shared
            for slot in numbers:
                assert jax.tree.structure(first.slots[slot]) == jax.tree.structure(params)
            for state in (first, after):
                kept = [*state.shared.values(), *jax.tree.leaves([state.slots[slot] for slot in numbers])]
                assert {(x.shape, x.dtype) for x in kept} <= {((), kind)}
            assert jax.tree.map(lambda x: (x.shape, x.dtype), first) == jax.tree.map(
                lambda x: (x.shape, x.dtype), after
            )


@some
def test_donated_saved_and_mapped(rule):
    """No array of a state is another's; a state survives a file; models in a batch step as alone."""
    make = ours.factory(rule)
    optimizer, params = make(0.01), jax.tree.map(jnp.array, PARAMS)
    gradients = row(rows(2), 1)
    state = optimizer.init(params)
    moves, after = optimizer.update(gradients, state, params)
    for one in (state, after):
        pointers = [x.unsafe_buffer_pointer() for x in jax.tree.leaves((one, params, gradients))]
        assert len({*pointers}) == len(pointers)
    saved = pickle.loads(pickle.dumps(after))
    expected = optimizer.update(gradients, after, params)[0]
    close(optimizer.update(gradients, saved, params)[0], expected, 0)
    donated = jax.jit(optimizer.update, donate_argnums=1)
    close(donated(gradients, after, params)[0], expected)

    def move(rate, grads):
        made = make(rate)
        return made.update(grads, made.init(params), params)[0]

    rates = jnp.asarray([0.01, 0.02])
    batch = jax.tree.map(lambda g: jnp.stack([g, 2 * g]), gradients)
    together = jax.vmap(move)(rates, batch)
    close(row(together, 0), moves)
    close(row(together, 1), move(0.02, jax.tree.map(lambda g: 2 * g, gradients)))


@some
def test_differentiated(rule):
    """The derivative of how far three steps lead, by the learning rate, against a difference."""
    gradients = rows(3)

    def way(rate):
        path, _ = scanned(ours.factory(rule)(rate), PARAMS, gradients)
        return sum(jnp.sum((x[-1] - p) ** 2) for x, p in zip(*map(jax.tree.leaves, (path, PARAMS)), strict=True))

    h, way_and_derivative = 1e-5, jax.jit(jax.value_and_grad(way))
    (above, _), (below, _), (_, found) = map(way_and_derivative, (0.1 + h, 0.1 - h, 0.1))
    np.testing.assert_allclose(found, (above - below) / (2 * h), rtol=1e-6)


@some
def test_inside_of_what_optax_builds(rule):
    """`inject_hyperparams`, `partition`, `masked` and `MultiSteps` take the same steps as the rule on its leaves."""
    make, gradients = ours.factory(rule), rows(12)
    alone, _ = scanned(make(0.01), PARAMS, gradients)
    injected, state = scanned(optax.inject_hyperparams(make)(0.01), PARAMS, gradients)
    close(injected, alone, 1e-9)
    assert float(state.hyperparams["learning_rate"]) == 0.01
    part = {"b": PARAMS["b"], "s": PARAMS["s"]}
    apart = {key: scanned(make(rate), part, {k: gradients[k] for k in part})[0] for key, rate, part in parts(part)}
    labels = {"b": "some", "s": "some", "w": "other"}
    split, _ = scanned(optax.partition({"some": make(0.01), "other": make(0.02)}, labels), PARAMS, gradients)
    close(split, {**apart["some"], **apart["other"]})
    masked = optax.masked(make(0.01), {"b": True, "s": True, "w": False})
    close({k: x for k, x in scanned(masked, PARAMS, gradients)[0].items() if k != "w"}, apart["some"])
    twice = jax.tree.map(lambda g: jnp.repeat(g / 2, 2, axis=0), gradients)
    steps = optax.MultiSteps(make(0.01), 2, use_grad_mean=False, accumulator_dtype=jnp.float64)
    slow, _ = scanned(steps.gradient_transformation(), PARAMS, twice)
    close(jax.tree.map(lambda x: x[1::2], slow), alone)


def parts(first):
    return [("some", 0.01, first), ("other", 0.02, {"w": PARAMS["w"]})]


def test_integers_and_leaves_without_a_gradient_take_no_part():
    """Sums go over the others; what is kept of these stays."""
    whole = {**PARAMS, "n": jnp.arange(3), "z": jnp.full(2, 9.0)}
    gradients = row(rows(2), 1)
    optimizer = ours.factory(distant)(1.0)
    alone, lone = optimizer.update(gradients, optimizer.init(PARAMS), PARAMS)
    state = optimizer.init(whole)
    moves, after = optimizer.update({**gradients, "n": jnp.zeros(3, int), "z": None}, state, whole)
    close({k: moves[k] for k in PARAMS}, alone, 0)
    close(after.shared, lone.shared, 0)
    assert moves["z"] is None
    assert after.slots["s"]["z"] is state.slots["s"]["z"]
    nothing = {"n": whole["n"]}
    _, empty = optimizer.update(nothing, optimizer.init(nothing), nothing)
    assert int(empty.count) == 1
    close(empty.shared, state.shared, 0)


def test_a_mask_leaves_out_the_decay_of_some_and_changes_no_sum():
    mask = {"b": [True, None], "s": False, "w": True}
    gradients = row(rows(2), 1)
    optimizer = ours.factory(distant)(0.5, weight_decay=0.1, decoupled=True, mask=mask)
    moves, _ = optimizer.update(gradients, optimizer.init(PARAMS), PARAMS)
    reference = Reference(distant, [np.asarray(p) for p in jax.tree.leaves(PARAMS)], {"lr": 0.5, "decoupled": True})
    reference.hyper["weight_decay"] = Bundle([0.1, 0.0, 0.1])
    reference.step([np.asarray(g) for g in jax.tree.leaves(gradients)])
    for made, wanted in zip(jax.tree.leaves(optax.apply_updates(PARAMS, moves)), reference.weights, strict=True):
        np.testing.assert_allclose(made, wanted, rtol=1e-14)


def test_leaves_of_several_kinds_are_summed_together():
    """Each comes back in its own kind; float32 among them costs the sums no digit of float64's."""
    params = {"half": jnp.ones(3, jnp.bfloat16), "single": jnp.ones(2, jnp.float32), "double": jnp.ones(2)}
    optimizer = ours.factory(distant)(1.0, key=jax.random.key(0))
    gradients = {"half": params["half"], "single": params["single"], "double": jnp.full(2, 2.0)}
    moves, after = jax.jit(optimizer.update)(gradients, optimizer.init(params), params)
    assert {key: str(x.dtype) for key, x in moves.items()} == {
        "half": "bfloat16",
        "single": "float32",
        "double": "float64",
    }
    np.testing.assert_allclose(moves["double"], -0.05 * 2 / (np.sqrt(13) + 1e-8), rtol=1e-14)
    assert after.shared["d"].dtype == jnp.float64


@rule(slots=(Number("k"),), source="a test")
def wide(g, state, t, *, lr=0.1):  # noqa: ARG001
    """Keep an array where a number was declared."""
    return Step(rate=lr, direction=g, k=g)


def test_mistakes_are_named():
    grads = row(rows(2), 1)
    for made in (rules.lookahead(rules.sgd), rules.cautious(rules.sgd), distant):
        optimizer = ours.factory(made)(0.1)
        with pytest.raises(UsageError, match=r"the rule .* needs the weights: give params"):
            optimizer.update(grads, optimizer.init(PARAMS))
    optimizer = ours.factory(wide)(0.1)
    with pytest.raises(UsageError, match=r"wide: k has shape \(2,\), where one number is expected"):
        optimizer.update(grads, optimizer.init(PARAMS), PARAMS)
    optimizer = ours.factory(counting)(0.1)
    state = optimizer.init(PARAMS)
    swapped = state._replace(slots={**state.slots, "norm": state.slots["m"]})
    with pytest.raises(UsageError, match=r"norm has shape \(2,\), where one number is expected; give the state that"):
        optimizer.update(grads, swapped, PARAMS)
    optimizer = ours.factory(distant)(0.1)
    with pytest.raises(UsageError, match=r"the state has anchor, s, where this rule .* keep anchor, s, d, r"):
        optimizer.update(grads, optimizer.init(PARAMS)._replace(shared={}), PARAMS)


def test_a_decay_that_a_schedule_squares_is_measured_against_the_first_rate():
    """The corrected kind: lr * decay, once more times what the schedule has made of the rate."""
    rates = jnp.asarray([0.1, 0.05])
    optimizer = ours.adamw(lambda count: rates[count], weight_decay=0.1, decay="corrected")
    params, state = jnp.ones(2), optimizer.init(jnp.ones(2))
    assert float(state.base_lr) == 0.1
    for share in (0.1 * 0.1, 0.05 * 0.1 * 0.5):
        moves, state = optimizer.update(jnp.zeros(2), state, params)
        np.testing.assert_allclose(moves, -share * params, rtol=1e-12)


def test_complex_weights():
    """What is a matter of sizes works, also over all tensors; what asks for a sum of vectors says no."""
    z = {"a": jnp.asarray([1 + 2j, 0.5j]), "b": jnp.asarray([0.5, 1.5])}
    for made in (counting, evaluating, rules.cautious(rules.adam), rules.lookahead(rules.adam)):
        optimizer = ours.factory(made)(0.1) if made is not evaluating else ours.factory(sizes)(0.1)
        moves, _ = optimizer.update(z, optimizer.init(z), z)
        assert moves["a"].dtype == z["a"].dtype
        assert (moves["a"] != 0).all()
    optimizer = ours.factory(evaluating)(0.1)
    with pytest.raises(UsageError, match=r"takes total of .* complex numbers do not have; optax\.contrib\.split_real"):
        optimizer.update(z, optimizer.init(z), z)


def test_a_sum_over_all_goes_over_complex_and_real_tensors():
    z = {"a": jnp.asarray([3 + 4j]), "b": jnp.asarray([12.0])}
    optimizer = ours.factory(sizes)(0.1)
    moves, after = optimizer.update(z, optimizer.init(z), z)
    np.testing.assert_allclose(after.shared["longest"], 169.0, rtol=1e-14)
    np.testing.assert_allclose(moves["a"], -0.1 * z["a"] / 13, rtol=1e-14)
    np.testing.assert_allclose(moves["b"], -0.1 * z["b"] / 13, rtol=1e-14)


@rule(slots=evaluating.slots, source="a test")
def sizes(g, state, t, *, lr=0.1):  # noqa: ARG001
    """Of `evaluating` what does not sum vectors."""
    from surefoot.mathops import maximum, sqrt, total, total_all

    longest = maximum(state.longest, total_all(g * g))
    return Step(rate=lr / sqrt(longest), direction=g, seen=state.seen + total(g * g), longest=longest)


AROUND = {
    "alone": lambda one: one,
    "chain": lambda one: optax.chain(optax.clip_by_global_norm(1e9), one),
    "masked": lambda one: optax.masked(one, lambda params: jax.tree.map(lambda p: p.ndim < 9, params)),
    "a branch": lambda one: optax.partition(
        {"ours": one, "theirs": optax.sgd(0.0)}, {"b": "ours", "s": "ours", "w": "ours"}
    ),
    "steps": lambda one: optax.MultiSteps(one, 1),
}


FOUND = [(evaluating, around) for around in AROUND]
FOUND += [(rules.lookahead(rules.adam), "alone"), (rules.lookahead(distant), "a branch")]


@pytest.mark.parametrize(("rule", "around"), FOUND, ids=lambda one: getattr(one, "name", one))
def test_the_weights_to_evaluate_with(rule, around):
    """As the rule on NumPy has them; they are arrays of their own; under jit as well."""
    optimizer, gradients = AROUND[around](ours.factory(rule)(0.01)), rows(8)
    params, state = PARAMS, optimizer.init(PARAMS)
    reference, _ = on_numpy(rule, PARAMS, gradients, lr=0.01)
    for i in range(8):
        moves, state = optimizer.update(row(gradients, i), state, params)
        params = optax.apply_updates(params, moves)
    wanted = reference.evaluated()
    ask = lambda state, params: evaluation_params(state, params, optimizer=optimizer)  # noqa: E731
    for found in (ask(state, params), jax.jit(ask)(state, params)):
        assert jax.tree.structure(found) == jax.tree.structure(params)
        for x, y, p in zip(jax.tree.leaves(found), wanted, jax.tree.leaves(params), strict=True):
            assert x.dtype == p.dtype
            np.testing.assert_allclose(x, y, rtol=1e-12)
            assert not np.allclose(x, p, rtol=1e-9)
    kept = {x.unsafe_buffer_pointer() for x in jax.tree.leaves((state, params))}
    assert not kept & {x.unsafe_buffer_pointer() for x in jax.tree.leaves(ask(state, params))}


def test_who_evaluates_with_the_weights_themselves_and_who_is_unknown():
    plain = ours.adam(0.1)
    close(evaluation_params(plain.init(PARAMS), PARAMS, optimizer=plain), PARAMS, 0)
    some = optax.partition(
        {"ours": ours.factory(evaluating)(0.1), "rest": ours.sgd(0.1)}, {"b": "rest", "s": "rest", "w": "ours"}
    )
    found = evaluation_params(some.init(PARAMS), PARAMS, optimizer=some)
    close({k: found[k] for k in ("b", "s")}, {k: PARAMS[k] for k in ("b", "s")}, 0)
    close(found["w"], 1e-6 * PARAMS["w"])
    theirs = optax.adam(0.1)
    with pytest.raises(UsageError, match="weights to evaluate with are not known"):
        evaluation_params(theirs.init(PARAMS), PARAMS, optimizer=theirs)
    both = optax.chain(ours.factory(evaluating)(0.1), ours.factory(rules.lookahead(rules.sgd))(0.1))
    with pytest.raises(UsageError, match="two rules"):
        evaluation_params(both.init(PARAMS), PARAMS, optimizer=both)


def test_a_bfloat16_model_is_evaluated_in_bfloat16_with_integers_as_they_are():
    params = {"w": jnp.ones(3, jnp.bfloat16), "n": jnp.arange(2)}
    optimizer = ours.factory(rules.lookahead(rules.sgd))(0.1, key=jax.random.key(0))
    found = evaluation_params(optimizer.init(params), params, optimizer=optimizer)
    assert found["w"].dtype == jnp.bfloat16
    close(found, params, 0)
