"""What Keras's own users and tests ask of an optimizer, asked of ours and of Keras's side by side."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from keras_backends import on, on_each_backend, on_each_backend_with
from keras_cases import CASES
from surefoot.mathops import total
from surefoot.rule import Number, Slot, Step, rule

NAMES = ("SGD", "Adagrad", "Adadelta", "RMSprop", "Adam", "AdamW")


@rule(slots=(Slot("s"),), source="a test")
def shared(g, state, t, *, lr=0.1):  # noqa: ARG001
    """Divide by the norm of all of the state: no row is by itself."""
    return Step(rate=lr / (1 + total(state.s * state.s)), direction=g, s=state.s + g * g)


@rule(slots=(Number("n"),), source="a test")
def numbered(g, state, t, *, lr=0.1):  # noqa: ARG001
    """Divide by a sum over the whole table, of all steps."""
    n = state.n + total(g * g)
    return Step(rate=lr / (1 + n), direction=g, n=n)


def pair(name, *arguments, **options):
    import keras

    import surefoot.keras

    return [getattr(home, name)(*arguments, **options) for home in (surefoot.keras, keras.optimizers)]


def weights(optimizer, rows, start):
    """Return the weights after a step for each gradient."""
    import keras

    weight = keras.Variable(start)
    for row in rows:
        optimizer.apply([keras.ops.convert_to_tensor(row) if isinstance(row, np.ndarray) else row], [weight])
    return keras.ops.convert_to_numpy(weight)


def agree(optimizers, steps=6):
    """Compare after some steps: as many roundings of 2^-24 as they make, and the 7e-6 of Keras's first Adam step."""
    rows, start = np.random.default_rng(0).standard_normal((steps, 3, 2)).astype("float32"), np.ones((3, 2), "float32")
    mine, theirs = (weights(optimizer, rows, start) for optimizer in optimizers)
    assert not np.allclose(theirs, start, atol=1e-4)
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)


REFUSED = [
    ("SGD", {"momentum": 2.0}),
    ("SGD", {"momentum": -0.5}),
    ("AdamW", {"weight_decay": None}),
    *(
        (name, options)
        for name in NAMES
        for options in (
            {"learning_rate": "0.1"},
            {"learning_rate": None},
            {"clipnorm": 1.0, "clipvalue": 1.0},
            {"use_ema": True, "ema_momentum": 1.5},
            {"use_ema": True, "ema_overwrite_frequency": -1},
            {"gradient_accumulation_steps": 1},
            {"no_such_option": 1.0},
        )
    ),
]


@on("jax")
@pytest.mark.parametrize(("name", "options"), REFUSED)
def test_what_keras_refuses_is_refused(name, options):
    import keras

    import surefoot.keras

    for home in (keras.optimizers, surefoot.keras):
        with pytest.raises(ValueError, match=r"."):
            getattr(home, name)(**options)


@on("jax")
@pytest.mark.parametrize("name", NAMES)
def test_all_arguments_by_position(name):
    import keras

    import surefoot.keras

    theirs = inspect.signature(getattr(keras.optimizers, name)).parameters
    values = [p.default for key, p in theirs.items() if key not in ("kwargs", "name")]
    values = [0.5 if key == "clipvalue" else value for key, value in zip(theirs, values, strict=False)]
    mine, their = pair(name, *values)
    assert mine.clipvalue == their.clipvalue == 0.5
    assert {**their.get_config(), "name": ""}.items() <= {**mine.get_config(), "name": ""}.items()
    assert list(inspect.signature(getattr(surefoot.keras, name)).parameters)[: len(values)] == list(theirs)[:-2]


@on("jax")
@pytest.mark.parametrize("name", NAMES)
def test_the_old_decay_is_ignored_with_keras_s_warning(name):
    for home in range(2):
        with pytest.warns(UserWarning, match="`decay` is no longer supported"):
            pair(name, 0.1, decay=0.5)[home].get_config()


TAKEN = {
    **CASES,
    "nesterov without momentum": ("SGD", {"nesterov": True}),
    "momentum 1": ("SGD", {"momentum": 1.0}),
    "heavy rmsprop": ("RMSprop", {"momentum": 1.5}),
    "no weight decay": ("Adam", {"weight_decay": None}),
    "ema": ("Adam", {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}),
}


@on_each_backend
@pytest.mark.parametrize("case", TAKEN)
def test_what_keras_takes_is_taken_also_from_its_configuration(case):
    name, options = TAKEN[case]
    options = {"learning_rate": 0.1, **options}
    agree(pair(name, **options))
    ours, theirs = pair(name, **options)
    agree([type(ours).from_config(theirs.get_config()), type(theirs).from_config(theirs.get_config())])
    back = {key: value for key, value in ours.get_config().items() if key in theirs.get_config()}
    assert type(theirs).from_config(back).get_config() == {**theirs.get_config(), "name": ours.name}


@on("jax")
def test_nesterov_stays_in_the_configuration_and_acts_once_there_is_momentum():
    optimizer = pair("SGD", 0.1, nesterov=True)[0]
    assert optimizer.get_config()["nesterov"] is True
    agree([optimizer, pair("SGD", 0.1)[1]])


def schedules():
    from keras.optimizers import schedules

    return {
        "exponential": schedules.ExponentialDecay(0.1, 2, 0.5, staircase=True),
        "cosine": schedules.CosineDecay(0.05, 6, warmup_target=0.1, warmup_steps=2),
        "steps": schedules.PiecewiseConstantDecay([1, 3], [0.1, 0.05, 0.01]),
        "function": lambda: 0.1,
    }


SCHEDULED = [(name, schedule) for name in NAMES for schedule in ("exponential", "cosine", "steps", "function")]


@on_each_backend_with("case", SCHEDULED, on_jax=[(n, s) for n, s in SCHEDULED if n == "Adam" or s == "exponential"])
def test_schedules(case):
    name, schedule = case
    agree(pair(name, schedules()[schedule], **({"momentum": 0.9} if name == "SGD" else {})))


# Sparse gradients

TABLE = np.linspace(-1, 1, 10).reshape(5, 2).astype("float32")
ROWS, PARTS = [3, 1, 3, 0], np.array([[1, 2], [-1, 0.5], [0.5, 1], [0, 0]], "float32")
WHOLE = np.array([PARTS[3], PARTS[1], [0, 0], PARTS[0] + PARTS[2], [0, 0]], "float32")
SPARSE = {
    "SGD": (True, "SGD", {}),
    "heavy": (False, "SGD", {"momentum": 0.9}),
    "decaying": (False, "SGD", {"weight_decay": 0.1}),
    "Adagrad": (True, "Adagrad", {}),
    "Adagrad of torch": (True, "Adagrad", {"convention": "torch"}),
    "climbing": (True, "Adagrad", {"maximize": True}),
    "Adadelta": (False, "Adadelta", {}),
    "RMSprop": (False, "RMSprop", {}),
    "Adam": (False, "Adam", {}),
    "AdaBound": (False, "AdaBound", {}),
    "by norm": (False, "SGD", {"clipnorm": 0.5}),
    "by global norm": (False, "Adagrad", {"global_clipnorm": 0.5}),
    "by value": (False, "SGD", {"clipvalue": 0.5}),
    "accumulated": (False, "SGD", {"gradient_accumulation_steps": 2}),
    "scaled": (False, "SGD", {"loss_scale_factor": 4.0}),
    "averaged": (True, "SGD", {"use_ema": True, "ema_overwrite_frequency": 2}),
    "of one's own": (False, "RuleOptimizer", {"rule": shared}),
    "with a number": (False, "RuleOptimizer", {"rule": numbered}),
    "cautious": (False, "RuleOptimizer", {"rule": "cautious(sgd)"}),
    "pulled back": (False, "RuleOptimizer", {"rule": "lookahead(sgd)", "sync_period": 2}),
}
"""For each case: whether only rows are stepped, and the optimizer."""


def rows(numbers=ROWS, parts=PARTS):
    """Return the gradient of a table as the backend has it."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.IndexedSlices(tf.constant(parts), tf.constant(numbers), tf.constant([5, 2]))
    import jax.numpy as jnp
    from jax.experimental.sparse import BCOO

    return BCOO((jnp.asarray(parts), jnp.asarray(numbers)[:, None]), shape=(5, 2))


@on("jax", "tensorflow")
@pytest.mark.parametrize("case", SPARSE)
def test_sparse_gradients_are_what_they_stand_for(case):
    """A row asked for twice has the sum of both; and only the rows are stepped where the others rest."""
    import keras

    import surefoot.keras
    from surefoot.keras import step

    few, name, options = SPARSE[case]
    sizes, update = [], step.update

    def seen(rule, weight, *others):
        sizes.append(weight.shape[0])
        return update(rule, weight, *others)

    paths = []
    with pytest.MonkeyPatch.context() as patch:  # a fixture would be undone in another process
        patch.setattr(step, "update", seen)
        for gradient in (rows(), WHOLE):
            made = getattr(surefoot.keras, name)(learning_rate=0.1, **options)
            paths.append(weights(made, [gradient] * 4, TABLE))
    np.testing.assert_allclose(*paths, rtol=0, atol=4 * 2.0**-23)
    assert set(sizes) == ({len(ROWS), len(TABLE)} if few else {len(TABLE)})
    assert not np.allclose(paths[0][3], TABLE[3])
    assert keras.backend.standardize_dtype(paths[0].dtype) == "float32"


@on("jax", "tensorflow")
@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adadelta", "RMSprop"])
def test_rows_without_repetition_as_in_keras(name):
    gradient = rows([3, 1], PARTS[:2])
    mine, theirs = (weights(optimizer, [gradient] * 3, TABLE) for optimizer in pair(name, 0.1))
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=4 * 2.0**-23)


@on("jax", "tensorflow")
def test_a_batch_without_rows_moves_nothing():
    for name in ("SGD", "Adagrad"):
        made = weights(pair(name, 0.1)[0], [rows(np.zeros(0, "int32"), PARTS[:0])], TABLE)
        np.testing.assert_array_equal(made, TABLE)


@on("jax", "tensorflow")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_tables_in_16_bits_are_stepped_whole(dtype):
    import keras

    tables = []
    for gradient in (rows(), WHOLE):
        table, optimizer = keras.Variable(TABLE, dtype=dtype), pair("Adagrad", 0.1)[0]
        optimizer.apply([gradient], [table])
        tables.append(keras.ops.convert_to_numpy(keras.ops.cast(table, "float32")))
    np.testing.assert_array_equal(*tables)


@on("jax")
def test_sparse_steps_are_compiled_and_what_is_out_of_the_table_is_dropped():
    """Padded rows of a BCOO have numbers beyond the table."""
    import jax
    import keras

    table, optimizer = keras.Variable(TABLE), pair("Adagrad", 0.1)[0]
    optimizer.build([table])
    padded = rows([*ROWS, 5], np.concatenate([PARTS, [[9, 9]]]).astype("float32"))
    step = jax.jit(lambda state, gradient, value: optimizer.stateless_apply(state, [gradient], [value]))
    (new,), _ = step([v.value for v in optimizer.variables], padded, table.value)
    np.testing.assert_allclose(new, weights(pair("Adagrad", 0.1)[0], [WHOLE], TABLE), rtol=0, atol=2.0**-23)
