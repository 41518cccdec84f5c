"""Arguments of `surefoot.optax`: optax's names, order and defaults, other conventions, and errors that help."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

pytest.importorskip("jax")
optax = pytest.importorskip("optax")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

import surefoot.optax as ours  # noqa: E402
from settings import needs  # noqa: E402
from surefoot.conventions import FRAMEWORKS, convention  # noqa: E402
from surefoot.errors import UsageError  # noqa: E402
from surefoot.rules import COMBINATORS, RULES  # noqa: E402

MADE_BY_OPTAX = [name for name in RULES if convention(name, "optax").call == f"optax.{name}"]
GRADIENT = jnp.asarray([0.3, -0.2])
MATRIX = jnp.asarray([[0.3, -0.2, 0.1], [0.2, 0.5, -0.4]])


def first_move(optimizer, gradient=GRADIENT):
    weights = jnp.ones(gradient.shape)
    return np.asarray(optimizer.update(gradient, optimizer.init(weights), weights)[0])


@pytest.mark.parametrize("name", MADE_BY_OPTAX)
def test_what_may_stand_by_position_is_as_in_optax(name):
    """Ours by position are optax's, with its defaults or none where that is what it does; others only by name."""
    mine = inspect.signature(getattr(ours, name)).parameters.values()
    theirs = list(inspect.signature(getattr(optax, name)).parameters.values())
    positional = [p for p in mine if p.kind is p.POSITIONAL_OR_KEYWORD]
    for p, other in zip(positional, theirs, strict=False):
        assert p.name == other.name
        asked = p.name == "learning_rate" and p.default is p.empty and other.default is None  # no rate is no default
        assert p.default in (other.default, None) or asked
    known = {p.name: p.default for p in theirs}
    for p in mine:
        if p.kind is p.KEYWORD_ONLY and p.name in known and p.default is not None:
            assert p.default == known[p.name]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_factory_with_help(name):
    factory = getattr(ours, name)
    assert factory.rule is RULES[name]
    assert name in ours.__all__
    for parameter in inspect.signature(factory).parameters:
        assert f"\n    {parameter}: " in inspect.getdoc(factory)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", RULES)
def test_by_and_convention_are_one(name, framework):
    factory, more = getattr(ours, name), needs(name, framework)
    gradient = MATRIX if factory.rule.shape == "matrix" else GRADIENT
    move = first_move(factory.by(framework)(0.01, **more), gradient)
    np.testing.assert_array_equal(move, first_move(factory(0.01, convention=framework, **more), gradient))
    asked = inspect.Parameter.empty if name != "adafactor" or framework != "optax" else None  # as optax's own
    lr = convention(name, framework).defaults.get("lr", asked)
    assert inspect.signature(factory.by(framework)).parameters["learning_rate"].default == lr


def test_conventions_differ():
    optax_like, keras_like = (
        first_move(ours.adam(0.01, eps=1e-3)),
        first_move(ours.adam(0.01, eps=1e-3, convention="keras")),
    )
    assert abs(keras_like[0] / optax_like[0] - 1) > 0.05


def test_eps_in_sqrt_is_optax_own_switch():
    def pair(library):
        return first_move(library.rmsprop(0.01, eps=1e-2, eps_in_sqrt=False))

    np.testing.assert_allclose(pair(ours), pair(optax), rtol=1e-12)
    assert abs(pair(ours)[0] / first_move(ours.rmsprop(0.01, eps=1e-2))[0] - 1) > 1e-3


def test_our_own_names_are_understood():
    np.testing.assert_array_equal(first_move(ours.adam(lr=0.01, beta1=0.5)), first_move(ours.adam(0.01, b1=0.5)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.adam(), "learning rate|learning_rate"),
        (lambda: ours.adam(1e-2, beta_1=0.9), "unknown option of adam 'beta_1'"),
        (lambda: ours.adam(1e-2, b1=0.9, beta1=0.9), "under two names"),
        (lambda: ours.adam(-1.0), r"lr=-1.0 is not allowed"),
        (lambda: ours.adam(1e-2, b2=1.0), r"beta2=1.0 is not allowed"),
        (lambda: ours.adam(1e-2, b2=jnp.ones(2)), r"beta2 has shape \(2,\)"),
        (lambda: ours.adam(1e-2, amsgrad=jnp.asarray(1.0)), "True or False"),
        (lambda: ours.adam(1e-2, convention="optx"), "Did you mean 'optax'"),
        (lambda: ours.adam.by("jax"), "unknown convention 'jax'"),
        (lambda: ours.adam(1e-2, key=0), "jax.random.key"),
        (lambda: ours.adabound(1e-2, base_lr=-1.0), "base_lr=-1.0 is not allowed"),
        (lambda: ours.factory(ours.adam), "is not a rule"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises((UsageError, TypeError), match=message):
        call()


@pytest.mark.parametrize("missing", ["jax", "optax"])
def test_a_missing_framework_gives_the_install_line(missing):
    code = f"import sys; sys.modules[{missing!r}] = None\nimport surefoot\nsurefoot.optax"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"{missing} is not installed: pip install 'surefoot[optax]'" in done.stderr.splitlines()[-1]
    assert "ModuleNotFoundError" in done.stderr.splitlines()[-1]


def test_surefoot_itself_loads_neither():
    code = (
        "import sys, surefoot; print({'jax', 'optax', 'torch'} & set(sys.modules))\n"
        "surefoot.optax.adam(1e-3); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["set()", "False"]


def test_a_factory_of_a_key_under_inject_hyperparams():
    injected = optax.inject_hyperparams(ours.adam, hyperparam_dtype=jnp.float32)(1e-2, key=jax.random.key(3))
    state = injected.init(jnp.ones(2, jnp.bfloat16))
    moves, after = jax.jit(injected.update)(jnp.ones(2, jnp.bfloat16), state, jnp.ones(2, jnp.bfloat16))
    assert moves.dtype == jnp.bfloat16
    assert jax.tree.structure(after) == jax.tree.structure(state)


def test_help_tells_a_rules_own_meaning_of_a_number():
    assert "b2: share of the mean gradient kept each step; 0 <= x < 1." in ours.lion.__doc__


@pytest.mark.parametrize("name", COMBINATORS)
def test_every_combinator_takes_a_factory_a_rule_or_its_name(name):
    made = getattr(ours, name)
    assert made.combinator is COMBINATORS[name]
    assert name in ours.__all__
    for inner in (ours.adamw, RULES["adamw"], "adamw"):
        assert made(inner).rule is COMBINATORS[name](RULES["adamw"])
    assert f"{name}(adamw)" in made.__doc__
    for parameter in inspect.signature(made("adamw")).parameters:
        assert f"\n    {parameter}: " in inspect.getdoc(made("adamw"))


def test_a_combination_is_spelled_as_what_is_inside():
    """By position as optax has it, its names, what it keeps in another kind, its convention; and the own numbers."""
    made = ours.lookahead(ours.adamw)
    given = made(0.01, 0.8, b2=0.99, mu_dtype="bfloat16", sync_period=2, mask=None)
    assert given.init(jnp.ones(2)).slots["m"].dtype == jnp.bfloat16
    keras = ours.cautious(ours.adam.by("keras"))
    assert keras.convention == "keras"
    assert inspect.signature(keras).parameters["eps"].default == 1e-7
    assert "weight_decay_mask" in inspect.signature(ours.cautious("adadelta")).parameters
    assert "eps_in_sqrt" in inspect.signature(ours.cautious("rmsprop")).parameters
    twice = ours.cautious(ours.lookahead("sgd"))(0.1, momentum=0.9, accumulator_dtype="float32")
    assert sorted(twice.init(jnp.ones(2)).slots) == ["b", "slow"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ours.cautious(ours.adamw(1e-3)), r"cautious is given a transformation; .* cautious\(adamw\)\(1e-3\)"),
        (lambda: ours.cautious("adamx"), "Did you mean 'adam"),
        (lambda: ours.cautious(3), "3 is not a rule"),
        (lambda: ours.lookahead("adamw")(1e-3, slow_stp=0.5), "Did you mean 'slow_step'"),
        (lambda: ours.lookahead("adamw")(1e-3, sync_period=0), "sync_period=0.0 is not allowed"),
        (lambda: ours.lookahead(ours.lookahead("adamw")), "both have 'slow'"),
    ],
)
def test_mistakes_around_rules_are_named(call, message):
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize("name", COMBINATORS)
def test_injected_hyperparameters_of_a_combination_are_used(name):
    make = getattr(ours, name)(ours.adamw)
    injected = optax.inject_hyperparams(make)(1e-2)
    params, ends = jnp.ones(2), []
    for optimizer in (injected, make(1e-2)):
        weights, state = params, optimizer.init(params)
        for _ in range(6):
            moves, state = optimizer.update(GRADIENT * weights, state, weights)
            weights = optax.apply_updates(weights, moves)
        ends.append(weights)
    np.testing.assert_allclose(*ends, rtol=1e-10)
