"""What a user of jax does with a state between two steps: donates, maps, saves, edits, exchanges it."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import surefoot.optax as ours  # noqa: E402
from settings import ANY_SHAPE  # noqa: E402
from standing import STANDING  # noqa: E402
from surefoot.conventions import convention  # noqa: E402
from surefoot.errors import UsageError  # noqa: E402
from surefoot.rule import WEIGHT, Slot, Step, rule  # noqa: E402
from surefoot.rules import RULES  # noqa: E402


@rule(slots=(Slot("z", start=WEIGHT), Slot("a"), Slot("b")), source="a test")
def lending(g, state, t, *, lr=0.1, beta1=0.9):  # noqa: ARG001
    """Keep what it was given, twice."""
    return Step(rate=lr, direction=g, z=state.z, a=g, b=g)


def scalar(x):
    return jnp.asarray(x, jnp.float64)


def numbers(options):
    """Return options without arrays: optax itself puts what it is given to inject into its state."""
    return {key: float(x) if isinstance(x, jax.Array) and key != "key" else x for key, x in options.items()}


lent = ours.factory(lending)
WAYS = {
    "number": lambda make, **options: make(0.1, **options),
    "array": lambda make, **options: make(scalar(0.1), **options),
    "schedule": lambda make, **options: make(optax.constant_schedule(scalar(0.1)), **options),
    "injected": lambda make, **options: optax.inject_hyperparams(make, static_args="key")(0.1, **numbers(options)),
}
PLAIN = [(getattr(ours, name), {}) for name in ANY_SHAPE]
OPTIONS = [
    *((getattr(ours, name), {}) for name in STANDING),
    (ours.sgd, {"momentum": scalar(0.9), "accumulator_dtype": "float32"}),
    (ours.adagrad, {"initial_accumulator_value": scalar(0.5)}),
    (ours.rmsprop, {"momentum": 0.9, "centered": True}),
    (ours.adam, {"mu_dtype": "bfloat16", "b1": scalar(0.9)}),
    (ours.adamw, {"decay_by_lr": False, "weight_decay": scalar(0.1), "key": jax.random.key(1)}),
    (ours.adabound, {"base_lr": scalar(0.1)}),
    (ours.amsbound, {"key": jax.random.key(2)}),
    (lent, {}),
]
EVERYTHING = [
    pytest.param(make, options, way, id=f"{make.__name__}-{'-'.join(options)}-{way}")
    for way in WAYS
    for make, options in (PLAIN + OPTIONS[len(STANDING) :] if way == "number" else OPTIONS)
]
"""Every rule with a number for its learning rate; those that stand for others, and what has options, in all ways."""
PARAMS = {
    "w": jnp.linspace(0.5, 1.5, 6).reshape(3, 2),
    "s": scalar(2.0),
    "z": jnp.asarray([1 + 2j]),
    "zn": jnp.arange(3),
}


def row(seed=0):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda p: jnp.asarray(rng.standard_normal(p.shape) * 4, p.dtype), PARAMS)


def copied(tree):
    return jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), tree)


def buffers(tree):
    leaves = [
        jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x for x in jax.tree.leaves(tree)
    ]
    return [leaf.unsafe_buffer_pointer() for leaf in leaves if leaf.size]


@pytest.mark.parametrize(("make", "options", "way"), EVERYTHING)
def test_no_array_of_a_state_is_another_s(make, options, way):
    """Neither the weights, nor the gradients, nor an option's, nor a second state's; before a step and after it."""
    given = [x for x in options.values() if isinstance(x, jax.Array)]
    optimizer, params, gradients = WAYS[way](make, **options), copied(PARAMS), row()
    first, other = optimizer.init(params), optimizer.init(params)
    _, after = optimizer.update(gradients, first, params)
    for state in (first, after):
        found = buffers(state)
        assert len(set(found)) == len(found)
        assert not set(found) & set(buffers((params, gradients, given, other)))


def ids(options):
    return [pytest.param(*one, id="-".join((one[0].__name__, *one[1]))) for one in options]


@pytest.mark.parametrize(("number", "make", "options"), [(k, *one) for k, one in enumerate(OPTIONS)])
def test_a_donated_state_is_used_up_and_nothing_else(number, make, options):
    """The same steps twice from one optimizer, everything donated; and as without donation. Each in two ways."""
    optimizers = [way(make, **options) for way in [*WAYS.values()][number % 2 :: 2]]

    def step(gradient, states, weights):
        made = [o.update(gradient, state, w) for o, state, w in zip(optimizers, states, weights, strict=True)]
        return [optax.apply_updates(w, moves) for w, (moves, _) in zip(weights, made, strict=True)], [
            x for _, x in made
        ]

    ends, donating = [], jax.jit(step, donate_argnums=(1, 2))
    for run in (donating, donating, jax.jit(step)):
        weights = [copied(PARAMS) for _ in optimizers]
        states = [optimizer.init(w) for optimizer, w in zip(optimizers, weights, strict=True)]
        for seed in range(3):
            weights, states = run(row(seed), states, weights)
        ends.append(weights)
    assert donating._cache_size() == 1
    for other in ends[1:]:
        jax.tree.map(np.testing.assert_array_equal, ends[0], other)


@pytest.mark.parametrize(("make", "options"), ids(PLAIN + OPTIONS[len(STANDING) :]))
def test_one_rule_has_one_tree(make, options):
    """However the learning rate is given, so that a checkpoint of one goes into the other."""
    trees = [WAYS[way](make, **options).init(PARAMS) for way in WAYS]
    trees[-1] = trees[-1].inner_state
    kinds = [jax.tree.map(lambda x: (x.shape, x.dtype), tree) for tree in trees]
    assert kinds.count(kinds[0]) == len(kinds)


def test_injected_hyperparameters_are_complex_where_weights_are_and_are_read_as_real():
    injected, weights = optax.inject_hyperparams(ours.adabound)(0.1), PARAMS["z"]
    moves, _ = injected.update(weights, injected.init(weights), weights)
    plain = ours.adabound(0.1)
    np.testing.assert_allclose(moves, plain.update(weights, plain.init(weights))[0], rtol=1e-12)


# What changes nothing: the same numbers come, or another place to keep them.
HARMLESS = {
    "mapped": lambda state: jax.tree.map(lambda x: x + 0, state),
    "taken apart and put together": lambda state: jax.tree.unflatten(jax.tree.structure(state), jax.tree.leaves(state)),
    "read and written as NumPy": lambda state: jax.tree.map(np.asarray, state),
    "pickled": lambda state: pickle.loads(pickle.dumps(state)),
    "moved": lambda state: jax.device_put(state, jax.devices()[0]),
    "restored by shapes": lambda state: jax.tree.map(lambda _, x: x, state, state),
    "counted by NumPy": lambda state: optax.tree.set(state, count=np.int32(2)),
}
# What changes the numbers, and says the same to every optimizer.
EDITED = {
    "moments halved": lambda state: jax.tree.map(lambda x: x / 2 if jnp.issubdtype(x.dtype, jnp.inexact) else x, state),
    "count set": lambda state: optax.tree.set(state, count=jnp.asarray(1000, jnp.int32)),
}
PEERS = {
    "momentum": ("sgd", {"momentum": 0.9}),
    "adagrad": ("adagrad", {}),
    "rmsprop": ("rmsprop", {"centered": True}),
    "adadelta": ("adadelta", {}),
    "adam": ("adam", {}),
    "amsgrad": ("amsgrad", {}),
    "adamw": ("adamw", {}),
}
REAL = {"w": PARAMS["w"], "s": PARAMS["s"]}


def real(seed=0):
    return {key: row(seed)[key] for key in REAL}


def path(optimizer, habit, other=None, params=REAL, gradient=None):
    """Return the weights after two steps, a habit, and a third step, of another optimizer if one is given."""
    state = optimizer.init(params)
    for seed in range(2):
        moves, state = optimizer.update(real(seed), state, params)
        params = optax.apply_updates(params, moves)
    moves, after = (other or optimizer).update(gradient or real(2), habit(state), params)
    assert jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)
    return optax.apply_updates(params, moves)


@cache
def untouched(name):
    return path(getattr(ours, name)(0.1), lambda state: state)


def close(a, b, rtol=1e-12):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol), a, b)


def all_of_them(state):
    for habit in HARMLESS.values():
        state = habit(state)
    return state


@pytest.mark.parametrize("name", ANY_SHAPE)
def test_what_changes_no_number_changes_no_step(name):
    """One habit after the other; each alone for the rules that stand for others."""
    for habit in (*(HARMLESS.values() if name in STANDING else ()), all_of_them):
        close(path(getattr(ours, name)(0.1), habit), untouched(name), 0)


@pytest.mark.parametrize("habit", EDITED)
@pytest.mark.parametrize("case", PEERS)
def test_what_is_edited_is_used_as_by_optax(case, habit):
    if "count" not in habit or case in ("adam", "adamw", "amsgrad"):
        name, options = PEERS[case]
        close(*(path(getattr(home, name)(0.1, **options), EDITED[habit]) for home in (ours, optax)))


@pytest.mark.parametrize("case", PEERS)
def test_another_learning_rate_on_the_same_state(case):
    name, options = PEERS[case]
    makes = [getattr(home, name) for home in (ours, optax)]
    close(*(path(make(0.1, **options), lambda state: state, make(0.01, **options)) for make in makes))


@pytest.mark.parametrize("case", PEERS)
def test_a_leaf_that_thaws_late(case):
    """Zeros for a gradient, then real ones: one count for all leaves, as in optax."""
    name, options = PEERS[case]
    ends = []
    for home in (ours, optax):
        optimizer, params = getattr(home, name)(0.1, **options), REAL
        state = optimizer.init(params)
        for seed in range(4):
            gradient = real(seed) if seed > 1 else {**real(seed), "w": jnp.zeros((3, 2))}
            moves, state = optimizer.update(gradient, state, params)
            params = optax.apply_updates(params, moves)
        ends.append(params)
    close(*ends)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *((name, "bfloat16") for name in ANY_SHAPE),
        *((name, dtype) for name in STANDING for dtype in ("float32", "float16")),
    ],
)
def test_gradients_and_states_of_other_kinds_are_read_at_the_weights(name, dtype):
    """They are rounded where the user rounded them, and nowhere else; what is kept keeps its kind."""
    optimizer, short = getattr(ours, name)(0.1), lambda tree: jax.tree.map(lambda x: x.astype(dtype), tree)
    back = jax.tree.map(lambda x: x.astype("float64"), short(real(2)))
    still = lambda state: state  # noqa: E731
    close(path(optimizer, still, gradient=short(real(2))), path(optimizer, still, gradient=back), 0)

    def cast(state):
        return state._replace(slots=short(state.slots))

    state = optimizer.init(REAL)
    moves, after = optimizer.update(real(), cast(state), REAL)
    assert {leaf.dtype for leaf in jax.tree.leaves(after.slots)} <= {jnp.dtype(dtype)}
    assert {leaf.dtype for leaf in jax.tree.leaves(moves)} == {jnp.dtype("float64")}


def refused():
    """Yield a rule, what it is given, and the words that say so."""
    for name in ANY_SHAPE:
        maker = RULES[name]
        other = "adagrad" if name != "adagrad" else "adadelta"
        options = {"momentum": maker.defaults.get("momentum", 0.0), **convention(name, "optax").switches}
        kept = ", ".join(maker.starts(options)) or "nothing"
        foreign = ", ".join(RULES[other].starts({}))
        yield pytest.param(
            name, getattr(ours, other)(0.1).init(REAL), real(), f"{name}: the state has {foreign}, where .* keep {kept}"
        )
        yield pytest.param(name, optax.adam(0.1).init(REAL), real(), f"{name}: the state is a tuple")
        yield pytest.param(name, None, {**real(), "w": jnp.ones((1, 2))}, rf"{name}: .* shapes \(1, 2\), \(3, 2\)")


@pytest.mark.parametrize(("name", "state", "gradient", "words"), list(refused()))
def test_what_cannot_be_meant_is_refused(name, state, gradient, words):
    optimizer = getattr(ours, name)(0.1)
    with pytest.raises(UsageError, match=words):
        optimizer.update(gradient, optimizer.init(REAL) if state is None else state, REAL)


@pytest.mark.parametrize("way", WAYS)
def test_the_rate_that_bounds_are_measured_against_is_the_state_s(way):
    """A checkpoint made at another rate goes on with its bounds; an option says otherwise."""
    began = ours.adabound(1.0).init(REAL)
    late = WAYS[way](ours.adabound)
    state = late.init(REAL)
    inner = (state.inner_state if way == "injected" else state)._replace(base_lr=began.base_lr, count=jnp.int32(10**7))
    state = state._replace(inner_state=inner) if way == "injected" else inner
    moves, _ = late.update(real(), state, REAL)
    close(moves, jax.tree.map(lambda g: -0.1 * (0.1 / 1.0) * 0.1 * g, real()), 1e-3)
    given = ours.adabound(0.1, base_lr=0.1)
    moves, _ = given.update(real(), given.init(REAL)._replace(base_lr=began.base_lr, count=jnp.int32(10**7)), REAL)
    close(moves, jax.tree.map(lambda g: -0.1 * 0.1 * g, real()), 1e-3)
