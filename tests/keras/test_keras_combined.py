"""Combinations of rules as Keras optimizers, on each backend, beside the same rule on NumPy in float64."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from keras_backends import on, on_each_backend, on_each_backend_with
from keras_models import check_same, fit, model, weights
from keras_numbers import on_keras, on_numpy
from surefoot.errors import UsageError

# Adam divides by the root of a mean square: a rounding of a gradient is one of a step of 0.05, 12 times
CLOSE = 12 * 16 * 2.0**-24


def combinations():
    import surefoot.keras as ours

    return {
        "cautious(adamw)": ours.cautious(ours.AdamW(0.05, beta_1=0.8)),
        "lookahead(sgd)": ours.lookahead(ours.SGD(0.1, momentum=0.9, nesterov=True), sync_period=3, slow_step=0.25),
        "lookahead(cautious(adam))": ours.lookahead(ours.cautious(ours.Adam(0.05, amsgrad=True))),
        "cautious(lion)": ours.cautious("lion", learning_rate=0.02, weight_decay=0.1),
    }


NAMES = ("cautious(adamw)", "lookahead(sgd)", "lookahead(cautious(adam))", "cautious(lion)")


@on_each_backend
@pytest.mark.parametrize("name", NAMES)
def test_weights_and_state_are_the_rule_s(name):
    optimizer = combinations()[name]
    assert optimizer.rule.name == name
    hyper = {**optimizer._hyper(), "lr": float(optimizer.learning_rate.numpy())}
    decay = hyper["weight_decay"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gradients do not exist")
        variables = on_keras(optimizer)
    expected, state = on_numpy(optimizer.rule, [decay] * 3, hyper)
    check_same([v.numpy() for v in variables], expected, CLOSE)
    for slot, values in state.items():
        check_same([v.numpy() for v in getattr(optimizer, f"_slot_{slot}")], values, CLOSE)


@on_each_backend_with("name", NAMES, on_jax=["lookahead(cautious(adam))"])
def test_a_saved_model_trains_on_as_if_never_saved(name, tmp_path):
    import keras

    made = model(combinations()[name])
    losses = fit(made, 2)
    assert losses[-1] < losses[0]
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.rule is made.optimizer.rule
    assert loaded.optimizer.get_config() == made.optimizer.get_config()
    fit(made, 1)
    fit(loaded, 1)
    check_same(weights(loaded), weights(made), 1e-6)


@on("jax")
def test_all_arguments_of_the_optimizer_inside_are_kept():
    import keras

    import surefoot.keras as ours

    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 5, 0.9)
    inner = ours.AdaBound(
        schedule, amsbound=True, final_lr=0.02, clipnorm=1.0, use_ema=True, convention="torch", name="x"
    )
    made = ours.lookahead(inner, sync_period=7)
    kept = {k: v for k, v in inner._hyper().items() if k in made.rule.defaults}
    assert made._hyper() == {**kept, "sync_period": 7.0, "slow_step": 0.5}
    assert (made.name, made.clipnorm, made.use_ema, made.convention) == ("x", 1.0, True, "torch")
    assert made._learning_rate is schedule


@on("jax")
def test_what_cannot_be_combined_says_what_to_do():
    import keras

    import surefoot.keras as ours

    with pytest.raises(UsageError, match="sync_period"):
        ours.lookahead(ours.Adam(), sync_perod=3)
    used, excluding = ours.SGD(0.1), ours.SGD(0.1)
    used.build([keras.Variable(np.ones(2))])
    excluding.exclude_from_weight_decay(var_names=["bias"])
    for optimizer in (used, excluding):
        with pytest.raises(UsageError, match="in use already"):
            ours.cautious(optimizer)


@on("jax")
def test_every_combinator_has_a_function():
    import surefoot.keras
    from surefoot.rules import COMBINATORS, RULES

    for name, combinator in COMBINATORS.items():
        assert name in surefoot.keras.__all__, f"add `{name} = combining({name!r})` to surefoot/keras/__init__.py"
        assert getattr(surefoot.keras, name)("adam").rule is combinator(RULES["adam"])


@on("jax")
def test_decay_is_a_word_of_ours_and_a_number_of_keras():
    import keras

    import surefoot.keras

    weight = keras.Variable(np.full(2, 2.0))
    optimizer = surefoot.keras.AdamW(0.1, weight_decay=0.5, decay="cautious")
    assert surefoot.keras.AdamW.from_config(optimizer.get_config()).decay == "cautious"
    optimizer.apply([keras.ops.convert_to_tensor([1.0, -1.0])], [weight])
    np.testing.assert_allclose(weight.numpy(), [2 - 0.1 - 0.1, 2 + 0.1], rtol=1e-5)
