"""Every class steps as Keras's own does, and as the rule does on NumPy in float64."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest

import reference
from keras_backends import on, on_each_backend, on_each_backend_with
from keras_cases import CASES, START, drive, gradients, in_float64
from paths import GOLDEN as GOLDEN_FILES

GOLDEN = json.loads((GOLDEN_FILES / "keras.json").read_text())

# Per step the weight is rounded once, or twice with decay, in each of two implementations. What a step's own
# roundings, fewer than 16 of relative size 2^-24, add to a move that is a fraction of the weight is less than one more.
ULPS_PER_STEP = 4

CLASSES = ("SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW", "Lion", "Adamax", "Lamb")
OURS = ("AdaBound", "AMSBound")


def check(ours: np.ndarray, theirs: np.ndarray, steps: int | None = None) -> None:
    """Compare weights after each step, or after so many, within some ulps of the largest weight so far a step."""
    ulp = np.spacing(np.maximum(np.abs(START), np.abs(theirs).max(axis=0)).astype("float32"))
    count = np.arange(1, len(theirs) + 1)[:, None] if steps is None else steps
    assert np.all(np.abs(ours - theirs) <= ULPS_PER_STEP * ulp * count)


def make(name: str, options: dict):
    import surefoot.keras

    return getattr(surefoot.keras, name)(**options)


@on("jax")
@pytest.mark.parametrize("case", CASES)
def test_equals_keras_on_jax(case):
    """For fewer steps: each of its operations takes ten times as long."""
    import keras

    name, options = CASES[case]
    theirs = drive(getattr(keras.optimizers, name)(**options), gradients(40))
    ours = drive(make(name, options), gradients(40))
    assert np.abs(theirs[-1] - START).max() > 1e-5
    check(ours, theirs)


@on("torch", "tensorflow")
@pytest.mark.parametrize("case", CASES)
def test_equals_keras_and_what_it_was_when_this_was_written(case):
    import keras

    name, options = CASES[case]
    theirs = drive(getattr(keras.optimizers, name)(**options), gradients())
    ours = drive(make(name, options), gradients())
    assert np.abs(theirs[-1] - START).max() > 1e-4
    check(ours, theirs)
    check(ours[-1:], np.array([GOLDEN[case]]), steps=len(ours))


FORMS = [(name, form) for name in (*CLASSES, *OURS, "Nadam", "Lars") for form in ("keras", "torch", "optax", "paper")]


@on_each_backend_with("case", FORMS, on_jax=[(name, form) for name, form in FORMS if form == "keras"])
def test_equals_the_rule_in_float64(case):
    """Weights, scalars and state in float64: the same function on NumPy, to the last digits."""
    name, convention = case
    rows, start = gradients(20).astype("float64"), START.astype("float64")
    options = {"learning_rate": 0.01, "weight_decay": 0.1}
    with in_float64():
        ours = drive(make(name, {**options, "convention": convention}), rows, start)
    rates = np.full(len(rows), 0.01)  # a schedule that stays where it is
    theirs = reference.run(name.lower(), convention, {"lr": 0.01, "weight_decay": 0.1}, rows, start, rates)
    # 1 - beta2^t of powers rounded differently: 2^-53 / (1 - 0.999), as in test_rule_arrays
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2.0**-53 / (1 - 0.999))


@on_each_backend
@pytest.mark.parametrize("name", OURS)
def test_adabound_in_float32_equals_the_rule(name):
    options = {"learning_rate": 0.001, "final_lr": 0.1, "gamma": 1e-3}
    ours = drive(make(name, options), gradients())
    given = {"lr": 0.001, "final_lr": 0.1, "gamma": 1e-3}
    check(ours, reference.run(name.lower(), "keras", given, gradients().astype("float64"), START.astype("float64")))


@on_each_backend
@pytest.mark.parametrize("name", CLASSES)
def test_arguments_and_state_are_those_of_keras(name):
    """Names, order and defaults of arguments; order, shapes and names of what is kept."""
    import keras

    import surefoot.keras

    ours, theirs = (getattr(home, name) for home in (surefoot.keras, keras.optimizers))
    declared = {key: p.default for key, p in inspect.signature(ours).parameters.items() if key != "common"}
    their = {key: p.default for key, p in inspect.signature(theirs).parameters.items()}
    assert declared == {key: their[key] for key in declared}
    assert list(declared) == [key for key in their if key != "kwargs"]
    assert {**theirs().get_config(), "name": ""}.items() <= {**ours().get_config(), "name": ""}.items()

    weights = [keras.Variable(np.zeros(shape), name=f"w{i}") for i, shape in enumerate([(2, 3), (4,), ()])]
    for optimizer in (mine := ours(name="same"), other := theirs(name="same")):
        optimizer.build(weights)
    assert [(v.path, v.shape) for v in mine.variables] == [(v.path, v.shape) for v in other.variables]
