"""What optax's own users and tests ask of an optimizer, asked of ours and of optax's side by side."""

from __future__ import annotations

import inspect
from functools import partial

import numpy as np
import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax.numpy as jnp  # noqa: E402

import surefoot.optax as ours  # noqa: E402
from optax_runs import adafactor_in_all_digits, tree_run, tree_runs  # noqa: E402
from settings import ANY_SHAPE  # noqa: E402
from surefoot.conventions import convention  # noqa: E402
from surefoot.errors import UsageError  # noqa: E402
from surefoot.optax.spelling import beyond  # noqa: E402
from surefoot.rule import WEIGHT  # noqa: E402
from surefoot.rules import RULES  # noqa: E402

CASES = {
    "sgd": ("sgd", {}),
    "momentum": ("sgd", {"momentum": 0.9}),
    "nesterov": ("sgd", {"momentum": 0.9, "nesterov": True}),
    "adagrad": ("adagrad", {}),
    "adadelta": ("adadelta", {"weight_decay": 0.1}),
    "rmsprop": ("rmsprop", {}),
    "rmsprop-centered": ("rmsprop", {"centered": True, "momentum": 0.9}),
    "adam": ("adam", {}),
    "amsgrad": ("amsgrad", {}),
    "adamw": ("adamw", {"weight_decay": 0.1}),
    "lion": ("lion", {"weight_decay": 0.1}),
    "adamax": ("adamax", {}),
    "radam": ("radam", {}),
    "adabelief": ("adabelief", {}),
    "yogi": ("yogi", {}),
    "nadam": ("nadam", {}),
    "lars": ("lars", {"weight_decay": 0.1, "momentum": 0.9}),
}
"""A function of both libraries, and its options."""

FORMS = ("sgd", "nesterov", "adadelta", "rmsprop-centered", "amsgrad", "adamw", "lion", "nadam", "lars")
"""Those that stand for others where what a test asks is not a matter of the options."""

FEW = ("sgd", "adamw", "nadam", "lars")
"""Without state, with it and decay, numbers, sums: for what compiles much, and is not a matter of the formula."""

PEERS = [name for name in RULES if convention(name, "optax").call == f"optax.{name}"]
EXACT = 1e-12
RNG = np.random.default_rng(3)


def normal(*shape, dtype="float64"):
    real, imaginary = RNG.standard_normal((2, *shape))
    return jnp.asarray(real + 1j * imaginary if jnp.issubdtype(dtype, jnp.complexfloating) else real, dtype)


TREES = {
    "array": normal(3, 2),
    "scalar": normal(),
    "nested": {"a": [normal(2), (normal(2, 2), normal())], "b": {"c": normal(1)}},
    "gaps": {"a": normal(2), "b": None, "c": [None, normal(3)]},
    "nothing in it": {"a": normal(2), "b": normal(0, 3)},
    "tuple": (normal(2), normal(3)),
}


def pair(case: str, lr=0.1, **more):
    name, options = CASES[case]
    return [getattr(library, name)(lr, **options, **more) for library in (ours, optax)]


def gradients(params, steps=3):
    return [jax.tree.map(lambda p: normal(*p.shape, dtype=p.dtype), params) for _ in range(steps)]


def same(a, b, rtol=EXACT):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


def agree(pairs, trees, steps=3):
    """Pairs of optimizers move the trees that stand beside them to the same place; all under one compilation."""
    rows = [gradients(params, steps) for params in trees]
    sides = zip(*pairs, strict=True)
    jobs = [job for side in sides for job in zip(side, trees, rows, strict=True)]
    ends = tree_runs(jobs)
    for mine, theirs in zip(ends[: len(trees)], ends[len(trees) :], strict=True):
        same(mine, theirs)


@pytest.mark.parametrize("case", FORMS)
def test_trees(case):
    trees = list(TREES.values()) if case in FEW else [TREES["nested"]]
    if case != "adadelta":  # there optax takes a complex square
        trees.append({"z": normal(3, 2, dtype="complex128"), "x": normal(2), "s": normal(dtype="complex128")})
    agree([pair(case)] * len(trees), trees)


UPRIGHT = {"adopt": "it cuts off part by part", "yogi": "its mean of gradients starts at a number, not at 0"}
"""Rules for which it matters how the axes lie."""


@pytest.mark.parametrize(
    ("name", "dtype"), [*((name, "complex128") for name in ANY_SHAPE), ("adam", "complex64"), ("dog", "complex64")]
)
def test_complex_weights_keep_their_kind_and_each_has_one_real_rate(name, dtype):
    """A weight that turns in the plane by some angle, with its gradients, goes the same way, turned."""
    turn = jnp.asarray(np.exp(0.7j), dtype)
    params, optimizer = normal(4, dtype=dtype), getattr(ours, name)(0.01)
    rows = gradients(params)
    plain, state = tree_run(optimizer, params, rows)
    turned, _ = tree_run(optimizer, params * turn, [row * turn for row in rows])
    assert plain.dtype == params.dtype
    if name not in UPRIGHT:
        np.testing.assert_allclose(turned, plain * turn, rtol=1e-5 if dtype == "complex64" else EXACT)
    for slot, leaf in state.slots.items():
        assert jnp.iscomplexobj(leaf) == (slot not in RULES[name].positive | RULES[name].numbers({}))
    rate = jax.eval_shape(partial(ours.effective_lr, optimizer=optimizer), state, rows[0], params)
    assert not jnp.issubdtype(rate.dtype, jnp.complexfloating)


def test_values_are_cut_part_by_part_and_what_the_plane_has_not_is_said():
    from surefoot.mathops import sqrt
    from surefoot.rule import Step, rule

    params = jnp.asarray([0.0 + 0.0j])
    moves, _ = ours.sgd(1.0, max_grad_value=2.0).update(jnp.asarray([3.0 - 1.0j]), ours.sgd(1.0).init(params), params)
    np.testing.assert_allclose(moves, [-2 + 1j])

    @rule(source="a test")
    def rooted(g, state, t, *, lr=0.1):  # noqa: ARG001
        return Step(rate=lr, direction=sqrt(g))

    made = ours.factory(rooted)(0.1)
    with pytest.raises(UsageError, match=r"takes sqrt.*split_real_and_imaginary"):
        made.update(params, made.init(params), params)


KEPT = [("sgd", "accumulator_dtype", {"momentum": 0.9}), *((n, "mu_dtype", {}) for n in ("adam", "amsgrad", "adamw"))]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, "float32", jnp.float64])
@pytest.mark.parametrize(("name", "argument", "options"), KEPT)
def test_moments_in_another_kind_of_numbers(name, argument, options, dtype):
    """optax's hyperparameters are arrays here: a Python number it would multiply in the moment's own kind."""
    params = {"w": normal(3, 2), "s": normal()}
    exact = {"momentum": jnp.asarray(0.9, "float64")} if options else {"b1": jnp.asarray(0.9, "float64")}
    theirs = getattr(optax, name)(0.1, **{**options, **exact, argument: dtype})
    mine = getattr(ours, name)(0.1, **options, **{argument: dtype})
    agree([(mine, theirs)], [params])
    slot = "b" if options else "m"
    state = jax.eval_shape(mine.update, params, mine.init(params), params)[1]
    assert {leaf.dtype for leaf in jax.tree.leaves(state.slots[slot])} == {jnp.dtype(dtype)}
    assert {leaf.dtype for leaf in jax.tree.leaves(state.slots) if leaf.dtype != jnp.dtype(dtype)} <= {jnp.dtype("f8")}


@pytest.mark.parametrize("name", ["adabound", "amsbound", "momentum", "nesterov"])
def test_rules_that_optax_lacks_take_it_too(name):
    argument, slot = ("mu_dtype", "m") if "bound" in name else ("accumulator_dtype", "b")
    state = getattr(ours, name)(0.1, **{argument: "float32"}).init(normal(2))
    assert state.slots[slot].dtype == jnp.float32
    with pytest.raises(UsageError, match=f"{argument}=int32 is no kind of numbers with a fraction"):
        getattr(ours, name)(0.1, **{argument: "int32"})


@pytest.mark.parametrize("asked", ["bfloat16", "float32", "complex64"])
def test_a_moment_of_complex_weights_stays_complex(asked):
    """optax drops the imaginary part of a moment that it is asked to keep in real numbers."""
    state = ours.adam(0.1, mu_dtype=asked).init({"z": normal(2, dtype="complex128"), "x": normal(2)})
    assert state.slots["m"]["z"].dtype == jnp.complex64
    assert state.slots["m"]["x"].dtype == jnp.dtype(asked)


def float0(params):
    return jax.grad(lambda p: (p["w"] ** 2).sum(), allow_int=True)(params)


@pytest.mark.parametrize("case", FORMS)
def test_integers_pass_through(case):
    """With zeros for gradients as in optax (whose AdamW decays them), and with what jax gives, which it refuses."""
    params = {"w": normal(3), "n": jnp.asarray([5, -6], jnp.int32), "b": jnp.asarray([True, False])}
    rows = [{**float0(params), "n": jnp.zeros(2, jnp.int32), "b": jnp.zeros(2, bool)}] * 2
    mine, theirs = pair(case)
    moved, state = tree_run(mine, params, rows)
    for key in ("n", "b"):
        np.testing.assert_array_equal(moved[key], params[key])
        assert moved[key].dtype == params[key].dtype
    same(moved["w"], tree_run(theirs, params["w"], [row["w"] for row in rows])[0])
    moves, after = mine.update(float0(params), state, params)
    assert not moves["n"].any()
    assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, mine.init(params))
    if case in ("sgd", "amsgrad", "rmsprop-centered"):
        same(moved["n"], optax.apply_updates(params, theirs.update(rows[0], theirs.init(params), params)[0])["n"])


WRAPPERS = {
    "chain": lambda o: optax.chain(optax.clip_by_global_norm(0.5), o),
    "masked": lambda o: optax.masked(o, {"a": True, "b": False}),
    "partition": lambda o: optax.partition({"x": o, "y": optax.set_to_zero()}, {"a": "x", "b": "y"}),
    "MultiSteps": lambda o: optax.MultiSteps(o, every_k_schedule=2),
    "apply_if_finite": lambda o: optax.apply_if_finite(o, 2),
    "flatten": optax.flatten,
    "non-negative": lambda o: optax.chain(o, optax.keep_params_nonnegative()),
}


@pytest.mark.parametrize("case", FEW)
def test_wrappers(case):
    pairs = [[wrap(optimizer) for optimizer in pair(case)] for wrap in WRAPPERS.values()]
    agree(pairs, [{"a": normal(3), "b": normal(2)}] * len(pairs), steps=4)


@pytest.mark.parametrize("case", FEW)
def test_what_is_not_finite_is_left_out(case):
    params = normal(3)
    rows = [row.at[0].set(jnp.nan) if k == 1 else row for k, row in enumerate(gradients(params))]
    same(*(tree_run(optax.apply_if_finite(optimizer, 5), params, rows)[0] for optimizer in pair(case)))


@pytest.mark.parametrize("case", FEW)
def test_schedules_scan_and_vmap(case):
    params, schedule = normal(4, 3), optax.warmup_cosine_decay_schedule(0.0, 0.1, 2, 6)
    rows = jnp.stack(gradients(params, 6))
    paths = []
    for optimizer in pair(case, schedule):

        def train(weights, some, optimizer=optimizer):
            def step(carry, gradient):
                moves, state = optimizer.update(gradient, carry[1], carry[0])
                weights = optax.apply_updates(carry[0], moves)
                return (weights, state), weights

            return jax.lax.scan(step, (weights, optimizer.init(weights)), some)[1]

        paths.append(jax.jit(train)(params, rows))
        alone = jnp.swapaxes(paths[-1], 0, 1)
        if case == "lars":  # a row is a tensor by itself
            alone = jnp.stack([train(one, rows[:, i]) for i, one in enumerate(params)])
        same(jax.vmap(train, (0, 1))(params, rows), alone)
    same(*paths)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:weights in bfloat16 stand still")
def test_short_weights_go_as_optax_s_within_their_own_digits(case, dtype):
    params = jnp.asarray([1.0, -2.0, 0.5], dtype)
    row = jnp.asarray([0.5, -1.0, 2.0], dtype)
    moves = [optimizer.update(row, optimizer.init(params), params)[0] for optimizer in pair(case, 0.25)]
    assert moves[0].dtype == moves[1].dtype == params.dtype
    np.testing.assert_allclose(*(np.asarray(m, "float32") for m in moves), rtol=16 * float(jnp.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2"])
def test_weights_in_8_bits_keep_their_kind_and_their_state_is_float32(dtype):
    params = jnp.ones(3, dtype)
    moves = [o.update(params, o.init(params), params)[0] for o in (ours.sgd(0.5), optax.sgd(0.5))]
    assert moves[0].dtype == moves[1].dtype == params.dtype
    np.testing.assert_array_equal(*(np.asarray(m, "float32") for m in moves))
    assert ours.adam(0.5).init(params).slots["v"].dtype == jnp.float32


@pytest.mark.parametrize("case", CASES)
def test_extra_arguments_are_let_through(case):
    params = normal(2)
    for optimizer in pair(case):
        optax.with_extra_args_support(optimizer).update(params, optimizer.init(params), params, value=1.0)


@pytest.mark.parametrize("name", PEERS)
def test_everything_by_position_and_by_name_as_in_optax(name):
    """The peer's whole signature: its order, its names, its defaults given as such."""
    mine, theirs = (inspect.signature(getattr(library, name)).parameters for library in (ours, optax))
    assert theirs.keys() <= mine.keys()
    kinds = [p.kind for p in theirs.values()]
    assert [(key, mine[key].kind) for key in theirs] == list(zip(theirs, kinds, strict=True))
    assert [key for key, p in mine.items() if p.kind is p.POSITIONAL_OR_KEYWORD] == [
        key for key, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    given = {key: p.default for key, p in theirs.items() if key != "learning_rate"}
    params = normal(3)
    positional = [
        0.1,
        *(value for key, value in given.items() if theirs[key].kind is not inspect.Parameter.KEYWORD_ONLY),
    ]
    rows = gradients(params)
    with adafactor_in_all_digits():
        peer = getattr(optax, name)(0.1)
    made = [peer, getattr(ours, name)(*positional), getattr(ours, name)(0.1, **given)]
    wanted, by_position, by_name = (tree_run(optimizer, params, rows)[0] for optimizer in made)
    same(by_position, wanted)
    same(by_name, wanted)


@pytest.mark.parametrize("name", PEERS)
def test_what_the_rule_has_not_is_refused_unless_it_is_optax_s_default(name):
    for key, default in beyond(RULES[name]).items():
        with pytest.raises(UsageError, match=f"{name}: {key}=.* is not possible: this rule has no {key}"):
            getattr(ours, name)(0.1, **{key: 0.5 if isinstance(default, float) else not default})


def test_sgd_by_position_and_nesterov_without_momentum():
    params = normal(3)
    rows = gradients(params)
    for arguments in ((0.1, 0.9, True), (0.1, None, True), (0.1, 0.9, True, "float32")):
        exact = [jnp.asarray(x, "float64") if x == 0.9 else x for x in arguments]  # as in the test of moments
        same(*(tree_run(o, params, rows)[0] for o in (ours.sgd(*arguments), optax.sgd(*exact))))


ABSTRACT = [
    *((name, {}) for name in ANY_SHAPE),
    ("rmsprop", {"centered": True, "momentum": 0.9}),
    ("adam", {"mu_dtype": "bfloat16"}),
    ("adamw", {"decay_by_lr": False, "key": jax.random.key(0)}),
    ("adagrad", {"initial_accumulator_value": lambda _: 0.5}),
]


@pytest.mark.parametrize("wrap", [lambda made: made, partial(optax.inject_hyperparams, hyperparam_dtype=jnp.float32)])
@pytest.mark.parametrize(("name", "options"), ABSTRACT)
def test_a_state_can_be_made_of_shapes_alone(name, options, wrap):
    """As a checkpoint's restore and a plan of shards ask for: what `init` of the weights gives, to the last value.

    Of a slot that begins as the weight only the shape is known.
    """
    params = {
        "w": jnp.zeros((2, 3)),
        "h": jnp.zeros(2, "float16"),
        "n": jnp.zeros(2, "int32"),
        "z": jnp.zeros((), "c8"),
    }
    shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params)
    made = wrap(getattr(ours, name))(0.1, **options)
    found, wanted = made.init(shapes), made.init(params)
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    unknown = [leaf for leaf in jax.tree.leaves(found) if isinstance(leaf, jax.ShapeDtypeStruct)]
    weights = [slot for slot, start in RULES[name].starts({}).items() if start is WEIGHT]
    assert len(unknown) == len(weights) * 3  # the integers do not move
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert isinstance(a, jax.ShapeDtypeStruct) or (a == b).all()
    assert jax.tree.structure(jax.eval_shape(made.init, params)) == jax.tree.structure(found)
