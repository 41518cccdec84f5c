"""Models in 16 bits learn: state and scalars are float32, and so is what the steps add up in."""

from __future__ import annotations

import numpy as np
import pytest

from keras_backends import on_each_backend, on_each_backend_with, optimized
from keras_models import check_same, fit, model, weights


def moved(made, before) -> float:
    return max(np.abs(a - b).max() for a, b in zip(weights(made), before, strict=True))


def flat(made) -> np.ndarray:
    return np.concatenate([w.ravel() for w in weights(made)])


def policy(name: str) -> None:
    import keras

    keras.config.set_dtype_policy(name)


@on_each_backend
def test_in_bfloat16_keras_adam_stands_still():
    """It casts beta_2 to bfloat16, where 0.999 is 1: the bias correction, and with it every step, is zero."""
    policy("bfloat16")
    made = model("adam")
    before = weights(made)
    fit(made)
    assert moved(made, before) == 0.0


NAMES = ("SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "AdaBound", "AMSBound")


@on_each_backend_with("name", NAMES, on_jax=["SGD", "AMSBound"])
def test_in_bfloat16_ours_learns_as_in_float32(name):
    import surefoot.keras

    made = {}
    rate = {"Adadelta": 1.0, "SGD": 0.05, "Adagrad": 0.02}.get(name, 1e-3)
    for kind in ("float32", "bfloat16"):
        policy(kind)
        made[kind] = model(getattr(surefoot.keras, name)(rate))
        before, losses = weights(made[kind]), fit(made[kind], 6)
        gain = losses[0] - losses[-1]
        assert moved(made[kind], before) > 0
        if kind == "float32":
            full = gain
    assert full > 0.01
    assert gain == pytest.approx(full, rel=0.1)
    assert {str(v.dtype) for v in made["bfloat16"].optimizer.variables[1:]} == {"float32"}
    assert {v.dtype for v in made["bfloat16"].trainable_variables} == {"bfloat16"}


@on_each_backend
def test_small_steps_add_up():
    """A step of 1e-4 next to 1 is a hundredth of what bfloat16 tells apart; a hundred of them are not."""
    import keras

    import surefoot.keras

    weight = keras.Variable(np.ones(4), dtype="bfloat16")
    optimizer = surefoot.keras.SGD(1e-4, use_ema=True, ema_momentum=0.9)
    for _ in range(100):
        optimizer.apply([keras.ops.ones(4, dtype="bfloat16")], [weight])
    (copy,) = optimizer._copies
    np.testing.assert_allclose(copy.numpy(), 0.99, rtol=1e-5)
    assert bool(keras.ops.all(keras.ops.equal(weight, keras.ops.cast(copy, "bfloat16"))))
    (average,) = optimizer._model_variables_moving_average
    np.testing.assert_allclose(average.numpy(), 0.99 + 9e-4, rtol=1e-5)


@on_each_backend
@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_a_weight_that_was_overwritten_is_followed(kind):
    import keras

    import surefoot.keras

    weight = keras.Variable(np.linspace(-3, 3, 64), dtype=kind)
    optimizer = surefoot.keras.SGD(1e-5)
    gradient = keras.ops.ones(64)
    optimizer.apply([gradient], [weight])
    new = np.linspace(2, -2, 64)
    weight.assign(new)
    rounded = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32")))
    optimizer.apply([gradient], [weight])
    (copy,) = optimizer._copies
    np.testing.assert_allclose(copy.numpy(), rounded - 1e-5, rtol=0, atol=1e-7 * 2)


AROUND = [
    {"weight_decay": 0.01, "clipnorm": 1.0},
    {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 4},
    {"use_ema": True},
    {"gradient_accumulation_steps": 2},
    {"loss_scale_factor": 1000.0},
]


# Keras's own steps on JAX accumulate gradients and overwrite weights in code of their own
@on_each_backend_with("options", AROUND, on_jax=[AROUND[1], AROUND[3]])
def test_what_stands_around_the_step_works_in_bfloat16(options):
    import surefoot.keras

    """Both ends lie close by, measured by the way there; single weights are tossed about by gradients in bfloat16."""
    ends = {}
    for kind in ("float32", "bfloat16"):
        policy(kind)
        made = model(surefoot.keras.Adam(0.003, **options))
        before = flat(made)
        fit(made, 6)
        ends[kind] = flat(made)
    apart, way = (np.abs(ends["bfloat16"] - x).mean() for x in (ends["float32"], before))
    assert apart < 0.1 * way


@on_each_backend_with("kind", ["mixed_bfloat16", "mixed_float16", "float16"], on_jax=["mixed_float16"])
def test_other_policies_learn(kind):
    """Under mixed_float16 Keras puts its LossScaleOptimizer around ours."""
    import surefoot.keras

    policy(kind)
    made = model(surefoot.keras.Adam(0.01))
    losses = fit(made, 6)
    assert losses[-1] < 0.8 * losses[0]


@on_each_backend
def test_a_model_in_bfloat16_is_saved_with_what_its_steps_add_up_in(tmp_path):
    import keras

    import surefoot.keras

    policy("bfloat16")
    made = model(surefoot.keras.Adam(1e-3))
    fit(made, 1)
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    check_same([v.numpy() for v in loaded.optimizer.variables], [v.numpy() for v in made.optimizer.variables], 0)
    fit(made, 1)
    fit(loaded, 1)
    check_same(weights(loaded), weights(made), 0)


@on_each_backend
def test_the_learning_rate_is_never_in_bfloat16():
    import keras

    import surefoot.keras

    keras.config.set_floatx("bfloat16")
    try:
        optimizer = surefoot.keras.Adam(1e-3)
    finally:
        keras.config.set_floatx("float32")
    assert optimizer.get_config()["learning_rate"] == pytest.approx(1e-3, rel=1e-6)
    optimizer.learning_rate = 3e-3
    assert float(optimizer.learning_rate.numpy()) == pytest.approx(3e-3, rel=1e-6)


@on_each_backend
def test_compiled_steps_add_up_too():
    """Many steps in one compiled piece, where a compiler could keep a weight unrounded between two of them."""
    import keras

    import surefoot.keras

    weight = keras.Variable(np.ones(4), dtype="bfloat16")
    optimizer = surefoot.keras.SGD(1e-4)
    optimizer.build([weight])
    step = compiled(optimizer, weight)
    with optimized():
        for _ in range(5):
            step()
    np.testing.assert_allclose(optimizer._copies[0].numpy(), 1 - 20 * 5 * 1e-4, rtol=1e-5)


def compiled(optimizer, weight):
    """Return a function that takes twenty steps in one compiled piece, where the backend compiles on this machine."""
    import keras

    gradient = keras.ops.ones(4, dtype="bfloat16")

    def steps():
        for _ in range(20):
            optimizer.apply([gradient], [weight])

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(steps, jit_compile=True)
    if keras.backend.backend() == "jax":
        import jax

        @jax.jit
        def pure(state, values):
            for _ in range(20):
                values, state = optimizer.stateless_apply(state, [gradient], values)
            return state, values

        def run():
            state, values = pure([v.value for v in optimizer.variables], [weight.value])
            for v, x in zip([*optimizer.variables, weight], [*state, *values], strict=True):
                v.assign(x)

        return run
    return steps
