"""Slots that are one number, of a tensor or of the optimizer, and rules that sum over all tensors, on each backend."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from keras_backends import on, on_each_backend, on_each_backend_with, optimized
from keras_models import check_same, fit, model, weights
from keras_numbers import counted, distance, on_keras, on_numpy, remembering

RULES = {rule.name: rule for rule in (counted, distance, remembering)}
DECAYS = [0.1, 0.1, 0.0]
# 12 steps of a few roundings each, on weights and sums that grow to about ten
CLOSE = {"float32": 12 * 16 * 2.0**-24, "float64": 1e-13}


def run(name, dtype="float32", **options):
    """Return the optimizer and its variables after some steps; the last variable is not decayed."""
    import surefoot.keras

    optimizer = surefoot.keras.RuleOptimizer(RULES[name], weight_decay=0.1, **options)
    optimizer.exclude_from_weight_decay(var_names=["v2"])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gradients do not exist")
        return optimizer, on_keras(optimizer, dtype)


@on_each_backend
@pytest.mark.parametrize("name", RULES)
def test_weights_and_state_are_the_rule_s(name):
    optimizer, variables = run(name)
    expected, state = on_numpy(RULES[name], DECAYS, {"weight_decay": 0.1})
    check_same([v.numpy() for v in variables], expected, CLOSE["float32"])
    for slot, values in state.items():
        check_same([v.numpy() for v in getattr(optimizer, f"_slot_{slot}")], values, CLOSE["float32"])


@on("torch", "tensorflow")
def test_weights_in_float64_have_numbers_in_float64():
    optimizer, variables = run("distance", "float64", learning_rate=0.5)
    expected, state = on_numpy(distance, DECAYS, {"weight_decay": 0.1, "lr": 0.5})
    check_same([v.numpy() for v in variables], expected, 1e-6)  # Keras's learning rate and schedules are in float32
    assert {str(optimizer._slot_d[0].dtype), str(optimizer._slot_n[0].dtype)} == {"float64"}
    np.testing.assert_allclose(optimizer._slot_d[0].numpy(), state["d"][0], rtol=1e-12)


@on_each_backend
@pytest.mark.parametrize("name", ["counted", "distance"])
def test_weights_in_16_bits_have_numbers_in_float32(name):
    optimizer, variables = run(name, "bfloat16")
    numbers = {"counted": ["mu"], "distance": ["d", "n"]}[name]
    assert {str(v.dtype) for slot in numbers for v in getattr(optimizer, f"_slot_{slot}")} == {"float32"}
    expected = on_numpy(RULES[name], DECAYS, {"weight_decay": 0.1})[0]
    for copy, variable, weight in zip(optimizer._copies, variables, expected, strict=True):
        np.testing.assert_allclose(copy.numpy(), weight, rtol=0, atol=0.1 * max(1.0, np.abs(weight).max()))
        np.testing.assert_allclose(np.asarray(variable.numpy(), "float32"), copy.numpy(), rtol=2.0**-8)


@on_each_backend
def test_variables_of_several_kinds_take_a_step_together():
    import keras

    import surefoot.keras

    variables = [keras.Variable(np.ones(3), dtype=kind) for kind in ("float32", "bfloat16", "float32")]
    optimizer = surefoot.keras.RuleOptimizer(distance)
    optimizer.apply([keras.ops.ones(3, dtype=v.dtype) for v in variables], variables)
    for v in variables:
        np.testing.assert_allclose(
            np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(v, "float32"))), 0.99, rtol=4e-3
        )


@on_each_backend
def test_there_is_one_variable_for_the_optimizer_and_one_a_tensor_each_named_after_its_slot():
    optimizer, _ = run("distance")
    names = [v.path.split("/")[-1] for v in optimizer.variables]
    assert names[2:] == ["v0_s", "v0_p", "v0_n", "v1_s", "v1_p", "v1_n", "v2_s", "v2_p", "v2_n", "d"]


OPTIONS = [{}, {"gradient_accumulation_steps": 2}, {"global_clipnorm": 0.1}]
FILES = [(name, options) for name in ("counted", "distance") for options in OPTIONS]


@on_each_backend_with("case", FILES, on_jax=[("counted", OPTIONS[0]), ("distance", OPTIONS[1])])
def test_a_model_trains_and_goes_on_from_a_file(case, tmp_path):
    import keras

    import surefoot.keras

    name, options = case
    made = model(surefoot.keras.RuleOptimizer(RULES[name], **options))
    losses = fit(made, 2)
    assert losses[-1] < losses[0]
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    check_same([v.numpy() for v in loaded.optimizer.variables], [v.numpy() for v in made.optimizer.variables], 0)
    fit(made, 1)
    fit(loaded, 1)
    check_same(weights(loaded), weights(made), 1e-6)


@on("jax", "tensorflow")
def test_compiled_equals_uncompiled():
    import surefoot.keras

    ways = [model(surefoot.keras.RuleOptimizer(distance), jit_compile=jit) for jit in (False, True)]
    fit(ways[0], 1)
    with optimized():
        fit(ways[1], 1)
    check_same(*map(weights, ways))


@on_each_backend
@pytest.mark.parametrize("name", RULES)
def test_effective_lr_is_that_of_the_step(name):
    import keras

    optimizer, variables = run(name)
    before = [v.numpy().copy() for v in variables]
    gradients = [keras.ops.ones(v.shape) for v in variables]
    rates = optimizer.effective_lr([gradients[0], None, gradients[2]])
    assert rates[1] is None
    assert rates[0].shape == variables[0].shape
    check_same([v.numpy() for v in variables], before, 0)
    if name == "distance":  # whose direction is 1 here; the last variable is not decayed
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Gradients do not exist")
            optimizer.apply([gradients[0], None, gradients[2]], variables)
        moved = before[2] - variables[2].numpy()
        np.testing.assert_allclose(moved, keras.ops.convert_to_numpy(rates[2]), rtol=1e-5)
        assert moved > 1e-3


@on("tensorflow")
def test_several_replicas_are_refused():
    import keras

    import surefoot.keras
    from surefoot.errors import UsageError

    variable = keras.Variable(np.ones(3))
    optimizer = surefoot.keras.RuleOptimizer(distance)
    optimizer.build([variable])
    object.__setattr__(optimizer, "_distribution_strategy", SimpleNamespace(num_replicas_in_sync=2))
    with pytest.raises(UsageError, match="several replicas"):
        optimizer._backend_update_step([keras.ops.ones(3)], [variable], 0.1)
